/* Packing and multiplying, compiled once for all block shapes. See product.h. */
#include "product.h"

void pack(const matrix *m, const float *w, long column_step, long row_step, long p) {
    float *panel = panel_of(m, p);
    int wide = m->nr / m->gates;
    for (long first = 0, last; first < m->K; first = last) {  /* a few rows at a time, so that the output stays in cache */
        last = first + LANES < m->K ? first + LANES : m->K;
        for (int v = 0; v < m->nr; v++)
            for (long l = 0; l < LANES; l++) {
                long column = (p * wide + v % wide) * LANES + l;
                const float *from = w + ((v / wide) * m->N + column) * column_step;
                int inside = column < m->N;
                uint16_t *halves = (uint16_t *)panel + (v * LANES + l) * 2;
                for (long k = first; k < last; k++) {
                    float x = inside ? from[k * row_step] : 0.0f;
                    if (m->half) halves[(k / 2) * m->nr * LANES * 2 + k % 2] = to_half(x);
                    else panel[(k * m->nr + v) * LANES + l] = x;
                }
            }
    }
}

/* rows x nr sums in registers; `rows` and `nr` are compile-time constants. */
INLINE void sums(const int rows, const int nr, const void *a, long a_step, const float *panel, long K, int half, vec *out) {
    vec sum[MAX_ROWS * MAX_VECTORS] = {};
    if (half) {
#if HAS_HALF
        for (long k = 0; k < K / 2; k++, panel += nr * LANES) {
            __m512bh w[MAX_VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < nr; v++) memcpy(&w[v], panel + v * LANES, sizeof w[v]);
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++) {
                int pair;
                memcpy(&pair, (const uint16_t *)a + i * a_step + 2 * k, sizeof pair);
                __m512i factors = _mm512_set1_epi32(pair);
#pragma GCC unroll 4
                for (int v = 0; v < nr; v++)
                    sum[i * nr + v] = (vec)_mm512_dpbf16_ps((__m512)sum[i * nr + v], (__m512bh)factors, w[v]);
            }
        }
#endif
    } else {
        const float *row = a;
        for (long k = 0; k < K; k++, panel += nr * LANES) {
            vec w[MAX_VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < nr; v++) memcpy(&w[v], panel + v * LANES, sizeof w[v]);
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++) {
                float factor = row[i * a_step + k];
#pragma GCC unroll 4
                for (int v = 0; v < nr; v++) sum[i * nr + v] += factor * w[v];
            }
        }
    }
#pragma GCC unroll 32
    for (int i = 0; i < rows * nr; i++) out[i] = sum[i];
}

#define CASE(rows, nr, half) \
    case (rows * 16 + nr) * 2 + half: sums(rows, nr, a, a_step, panel, m->K, half, out); break;
#if HAS_HALF
#define CASES(rows) CASE(rows, 2, 0) CASE(rows, 3, 0) CASE(rows, 2, 1) CASE(rows, 3, 1)
#else
#define CASES(rows) CASE(rows, 2, 0) CASE(rows, 3, 0)
#endif
#define CASE_OF_4(rows) CASE(rows, 4, 0)

void product(const matrix *m, long p, const void *a, long a_step, int rows, vec *out) {
    const float *panel = panel_of(m, p);
    switch ((rows * 16 + m->nr) * 2 + m->half) {
        CASES(1) CASES(2) CASES(3) CASES(4)
        CASE_OF_4(1) CASE_OF_4(2)
#ifdef __AVX512F__
        CASES(5) CASES(6) CASES(7) CASES(8)
        CASE_OF_4(3) CASE_OF_4(4) CASE_OF_4(5) CASE_OF_4(6)
#endif
    }
}
