/* Products of a few rows with a matrix of 8 bits: a scale for each of its columns, and one for each row, found anew.
 *
 * A row is of numbers 0 … 255 that stand for −128 … 127, which is what processors multiply with signed ones (VNNI); what
 * that adds to a sum, 128 times the column's, is taken off before. Sums are of integers, so nothing is lost in them. A
 * panel is [K / 4][nr][LANES][4] of weights, then [nr][LANES] of scales, then the same of what is taken off.
 */
#ifndef CHARRNN_BYTES_H
#define CHARRNN_BYTES_H

#include "product.h"

/* Bytes of a rounded row: its numbers, zeros up to a whole four, its scale. At most K + 8. */
INLINE long rounded_size(long K) { return (K + 3) / 4 * 4 + 4; }

void round_rows(const float *x, long x_step, long rows, long K, void *out);

/* Put panel p of w (gates N, K) into its place. */
void pack_bytes(const matrix *m, const float *w, long p);

/* out (rows, nr) = rounded rows times panel p. */
void product_of_bytes(const matrix *m, long p, const void *rows_of_bytes, int rows, vec *out);

#endif
