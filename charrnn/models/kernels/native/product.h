/* Products of a few rows with a matrix that is used many times: packed once, in panels that fit a processor's registers
 * (Goto and van de Geijn 2008; Zee and van de Geijn 2015).
 *
 * A panel is `nr` vectors of columns wide. Column vector v of panel p belongs to gate v / (nr / gates), so that all gates
 * of a unit are computed together.
 */
#ifndef CHARRNN_PRODUCT_H
#define CHARRNN_PRODUCT_H

#include "vector.h"

#define MAX_ROWS 8
#define MAX_VECTORS 4
#ifdef __AVX512F__
#define ROWS_AT_ONCE(nr) ((nr) == 4 ? 6 : 8)  /* 8 x 3 sums, 3 columns and 1 factor: 28 of 32 registers */
#else
#define ROWS_AT_ONCE(nr) ((nr) == 4 ? 2 : 4)  /* of 16 registers */
#endif
#ifdef __AVX512BF16__
#define HAS_HALF 1
#else
#define HAS_HALF 0
#endif

typedef struct {
    void *panels;      /* [panel][k][nr][LANES]; in half precision [panel][k / 2][nr][LANES][2] of bfloat16 */
    long K, N;         /* the dimension that is summed over; the columns per gate */
    int gates, nr, half;
} matrix;

INLINE long panel_width(const matrix *m) { return (long)(m->nr / m->gates) * LANES; }
INLINE long panel_count(const matrix *m) { return (m->N + panel_width(m) - 1) / panel_width(m); }
INLINE long panel_size(const matrix *m) { return m->K * m->nr * LANES / (m->half ? 2 : 1); }  /* in floats */

INLINE void *panel_of(const matrix *m, long p) { return (float *)m->panels + p * panel_size(m); }

INLINE size_t panel_bytes(const matrix *m) { return (panel_count(m) * panel_size(m) * 4 + 63) / 64 * 64; }

/* Pack panel p of w. Column n, row k of the matrix is w[n * column_step + k * row_step]. */
void pack(const matrix *m, const float *w, long column_step, long row_step, long p);

/* out (rows, nr) = a (rows, K) times panel p. `a` is float, or bfloat16 if the matrix is; a_step is the distance of rows.
 * Every sum adds in the order of k, so a row's result is the same to the last bit whatever the other rows are. */
void product(const matrix *m, long p, const void *a, long a_step, int rows, vec *out);

/* Split rows into the largest possible blocks of almost equal size. */
INLINE int rows_of_block(const matrix *m, long first, long last) {
    long rows = ROWS_AT_ONCE(m->nr), blocks = (last - first + rows - 1) / rows;
    return (int)((last - first + blocks - 1) / blocks);
}

#endif
