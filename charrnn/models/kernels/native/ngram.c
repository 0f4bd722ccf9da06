/* One order of an n-gram model: from the probabilities of the order below to those of this order, for N contexts.
 *
 * p (N, W) ← backoff(context) p, and weight added at each child of the context; contexts that are −1 leave p unchanged.
 * The same sums in the same order as in ../../ngram/model.py, so results are equal to the last bit.
 */
#include <stdint.h>

static int64_t integer(const void *array, int bytes, int64_t i) {
    switch (bytes) {
    case 1: return ((const uint8_t *)array)[i];
    case 2: return ((const int16_t *)array)[i];
    case 4: return ((const int32_t *)array)[i];
    default: return ((const int64_t *)array)[i];
    }
}

/* starts (C + 1), tokens (E), weights (E), backoffs (C). Returns −1, or a context whose children are out of range. */
long ngram_order(const int64_t *contexts, long N, const void *starts, int starts_bytes, const void *tokens,
                 int tokens_bytes, const float *weights, const float *backoffs, long C, long E, double *p, long W,
                 int threads) {
    long bad = -1;
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (long i = 0; i < N; i++) {
        int64_t context = contexts[i];
        if (context < 0) continue;
        int64_t from = context < C ? integer(starts, starts_bytes, context) : -1;
        int64_t to = context < C ? integer(starts, starts_bytes, context + 1) : -1;
        if (to > from + W) to = from + W;  /* a damaged file may claim any number */
        if (context >= C || (from < to && (from < 0 || to > E))) {
#pragma omp critical(charrnn_ngram)
            bad = i;
            continue;
        }
        double *row = p + i * W, backoff = backoffs[context];
        for (long w = 0; w < W; w++) row[w] *= backoff;
        for (int64_t child = from; child < to; child++) {
            int64_t token = integer(tokens, tokens_bytes, child);
            if (token >= 0 && token < W) row[token] += weights[child];
            else {
#pragma omp critical(charrnn_ngram)
                bad = i;
            }
        }
    }
    return bad;
}
