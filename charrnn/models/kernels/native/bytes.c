/* Rounding, packing and multiplying numbers of 8 bits. See bytes.h. */
#include <math.h>
#include "bytes.h"

#define LARGEST 127.0f
#define SHIFT 128

static float largest_of(const float *x, long count) {
    float largest = 0.0f;
    for (long k = 0; k < count; k++) largest = fabsf(x[k]) > largest ? fabsf(x[k]) : largest;
    return largest;
}

/* To the nearest whole number, |x| ≤ 127: the constant 1.5 · 2^23 leaves no room for a fraction. */
INLINE int nearest(float x) {
    float shifted = x + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, 4);
    return (int8_t)bits;
}

void round_rows(const float *x, long x_step, long rows, long K, void *out) {
    for (long i = 0; i < rows; i++, x += x_step) {
        uint8_t *to = (uint8_t *)out + i * rounded_size(K);
        float largest = largest_of(x, K), scale = largest / LARGEST, times = largest > 0.0f ? LARGEST / largest : 0.0f;
        for (long k = 0; k < K; k++) to[k] = (uint8_t)(nearest(x[k] * times) + SHIFT);
        for (long k = K; k < rounded_size(K) - 4; k++) to[k] = SHIFT;
        memcpy(to + rounded_size(K) - 4, &scale, 4);
    }
}

void pack_bytes(const matrix *m, const float *w, long p) {
    int8_t *panel = panel_of(m, p);
    int wide = m->nr / m->gates;
    long fours = (m->K + 3) / 4;
    float *scales = (float *)(panel + fours * 4 * m->nr * LANES);
    int32_t *taken_off = (int32_t *)(scales + m->nr * LANES);
    for (int v = 0; v < m->nr; v++)
        for (long l = 0; l < LANES; l++) {
            long column = (p * wide + v % wide) * LANES + l, at = v * LANES + l;
            const float *from = w + ((v / wide) * m->N + column) * m->K;
            float largest = column < m->N ? largest_of(from, m->K) : 0.0f, times = largest > 0.0f ? LARGEST / largest : 0.0f;
            int32_t sum = 0;
            for (long k = 0; k < 4 * fours; k++) {
                int rounded = largest > 0.0f && k < m->K ? nearest(from[k] * times) : 0;
                panel[(k / 4 * m->nr * LANES + at) * 4 + k % 4] = (int8_t)rounded;
                sum += rounded;
            }
            scales[at] = largest / LARGEST;
            taken_off[at] = SHIFT * sum;
        }
}

INLINE ints add_products(ints sum, const uint8_t *four, const int8_t *w) {
#if defined(__AVX512VNNI__) && LANES == 16
    int32_t factors;
    memcpy(&factors, four, 4);
    return (ints)_mm512_dpbusd_epi32((__m512i)sum, _mm512_set1_epi32(factors), _mm512_loadu_si512(w));
#else
    for (int l = 0; l < LANES; l++)
        for (int k = 0; k < 4; k++) sum[l] += four[k] * w[4 * l + k];
    return sum;
#endif
}

INLINE void sums(const int rows, const int nr, const uint8_t *a, const int8_t *panel, long K, vec *out) {
    long fours = (K + 3) / 4;
    const float *scales = (const float *)(panel + fours * 4 * nr * LANES);
    const int32_t *taken_off = (const int32_t *)(scales + nr * LANES);
    ints sum[4 * MOST_VECTORS] = {};
    for (long k = 0; k < fours; k++, panel += 4 * nr * LANES)
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
            for (int v = 0; v < nr; v++)
                sum[i * nr + v] = add_products(sum[i * nr + v], a + i * rounded_size(K) + 4 * k, panel + 4 * v * LANES);
    for (int i = 0; i < rows; i++) {
        float scale;
        memcpy(&scale, a + i * rounded_size(K) + 4 * fours, 4);
        for (int v = 0; v < nr; v++) {
            ints shift;
            memcpy(&shift, taken_off + v * LANES, sizeof shift);
            out[i * nr + v] = __builtin_convertvector(sum[i * nr + v] - shift, vec) * (load(scales + v * LANES, LANES) * scale);
        }
    }
}

#define CASE(rows, nr) \
    case rows * 16 + nr: sums(rows, nr, rows_of_bytes, panel, m->K, out); break;
#define CASES(rows) CASE(rows, 2) CASE(rows, 3) CASE(rows, 4)

void product_of_bytes(const matrix *m, long p, const void *rows_of_bytes, int rows, vec *out) {
    const int8_t *panel = panel_of(m, p);
    switch (rows * 16 + m->nr) { CASES(1) CASES(2) CASES(3) CASES(4) }
}
