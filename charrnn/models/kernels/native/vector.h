/* Vectors of the processor's width, exponentials of vectors, and bfloat16 in memory.
 *
 * Written with the vector extensions of GCC and Clang, so that one source serves AVX-512, AVX2, SSE and NEON.
 */
#ifndef CHARRNN_VECTOR_H
#define CHARRNN_VECTOR_H

#include <stdint.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));

#define INLINE static inline __attribute__((always_inline))

INLINE vec all(float x) { return x - (vec){}; }

INLINE vec min_of(vec a, vec b) {  /* a if either is NaN, so that NaN is not lost */
    ints less = b < a;
    return (vec)((less & (ints)b) | (~less & (ints)a));
}

INLINE vec max_of(vec a, vec b) {
    ints more = b > a;
    return (vec)((more & (ints)b) | (~more & (ints)a));
}

/* e^x − 1 = s p + (s − 1) with s = 2^n, n = round(x / ln 2) and p = e^r − 1, |r| ≤ ln 2 / 2, by the polynomial of Cephes
 * (expf.c, Moshier 1992); *scale receives s. The constant 1.5 · 2^23 rounds to integers. x in [−87, 88]. */
INLINE vec exp_minus_1_parts(vec x, vec *scale) {
    vec shifted = x * 1.44269504f + 12582912.0f;
    vec n = shifted - 12582912.0f;
    vec r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    *scale = (vec)(((ints)shifted << 23) + (127 << 23));  /* the low bits of `shifted` are n */
    return p * (r * r) + r;
}

INLINE vec exp_of(vec x) {  /* x ≤ 88 */
    vec scale, p = exp_minus_1_parts(max_of(x, all(-87.0f)), &scale);
    return scale * p + scale;
}

INLINE vec sigmoid(vec x) {
    vec scale, p = exp_minus_1_parts(min_of(max_of(-x, all(-87.0f)), all(88.0f)), &scale);
    return 1.0f / (1.0f + (scale * p + scale));
}

INLINE vec tanh_of(vec x) {  /* (e^2x − 1) / (e^2x + 1): the numerator has no cancellation near 0 */
    vec scale, p = exp_minus_1_parts(min_of(max_of(x + x, all(-30.0f)), all(30.0f)), &scale);
    vec numerator = scale * p + (scale - 1.0f);
    return numerator / (numerator + 2.0f);
}

/* Loading and storing `count` ≤ LANES numbers; whole vectors are the common case. */
INLINE vec load(const float *from, long count) {
    vec x = {};
    if (count >= LANES) memcpy(&x, from, sizeof x);
    else for (long i = 0; i < count; i++) x[i] = from[i];
    return x;
}

INLINE void store(float *to, vec x, long count) {
    if (count >= LANES) memcpy(to, &x, sizeof x);
    else for (long i = 0; i < count; i++) to[i] = x[i];
}

INLINE uint16_t to_half(float x) {  /* to the nearest bfloat16, ties to even */
    uint32_t bits;
    memcpy(&bits, &x, 4);
    if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;  /* NaN */
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

INLINE float from_half(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* Loading and storing as above, in memory of bfloat16 if `half`, else float. */
INLINE const void *place(const void *base, long at, int half) {
    return (const char *)base + at * (half ? 2 : 4);
}

INLINE vec load_either(const void *from, long at, long count, int half) {
    if (!half) return load((const float *)from + at, count);
    const uint16_t *halves = (const uint16_t *)from + at;
#ifdef __AVX512F__
    if (count >= LANES)
        return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)halves)), 16);
#endif
    float x[LANES] = {0};
    for (long i = 0; i < (count < LANES ? count : LANES); i++) x[i] = from_half(halves[i]);
    return load(x, LANES);
}

INLINE void store_either(void *to, long at, vec x, long count, int half) {
    if (!half) { store((float *)to + at, x, count); return; }
    uint16_t *halves = (uint16_t *)to + at;
#ifdef __AVX512BF16__
    if (count >= LANES) {
        __m256bh rounded = _mm512_cvtneps_pbh((__m512)x);
        memcpy(halves, &rounded, sizeof rounded);
        return;
    }
#endif
    for (long i = 0; i < (count < LANES ? count : LANES); i++) halves[i] = to_half(x[i]);
}

/* The floating-point mode (how denormals are treated), which worker threads take over from their caller. */
INLINE unsigned float_mode(void) {
#ifdef __x86_64__
    return _mm_getcsr();
#else
    return 0;
#endif
}

INLINE unsigned set_float_mode(unsigned mode) {  /* returns the previous mode */
    unsigned before = float_mode();
#ifdef __x86_64__
    _mm_setcsr(mode);
#else
    (void)mode;
#endif
    return before;
}

/* This thread's share of `count` items: first … last − 1; returns the thread's number. */
INLINE long my_part(long count, long *first, long *last) {
#ifdef _OPENMP
    long id = omp_get_thread_num(), threads = omp_get_num_threads();
#else
    long id = 0, threads = 1;
#endif
    *first = count * id / threads;
    *last = count * (id + 1) / threads;
    return id;
}

#endif
