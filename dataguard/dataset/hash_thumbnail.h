/* The part of measure.c that finds the perceptual hash of a thumbnail, as perceptual_hash.py says what it is.
 *
 * That computes with 24 bits, and in which order its products are added up is the linear algebra library's affair. Here
 * they are added up with 53, and a hash is told only where no order could make another of it; see UNSURE. */

#include <float.h>

enum { SIDE_OF_HASH = 8, BITS_OF_HASH = SIDE_OF_HASH * SIDE_OF_HASH, NOT_TOLD = 0, NO_TEXTURE = 1, TOLD = 2 };

/* What is told of the thumbnail, and its hash. */
typedef struct {
    uint32_t told, unused;
    uint64_t hash;
} Hash;

/* Of perceptual_hash.py, in single precision: the basis, what luma is made of, and the root of LEAST_ENERGY. */
typedef struct {
    float basis[SIDE_OF_HASH][SIDE], luma[3], least;
} Transform;

/* By how much two ways of adding up may differ in the difference of two coefficients. Each is the result of 3 + 32 + 32
 * products and sums with a relative error of 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
 * section 3.1), of numbers whose absolute values add up to 255 * 32 at most, for a row of the basis has length 1. */
#define ERROR_OF_ONE (70 * 0x1p-24 * 255 * SIDE)
#define UNSURE (2 * ERROR_OF_ONE)

INLINE void hash_of(const uint8_t (*thumbnail)[SIDE][3], const Transform *how, Hash *found)
{
    double across[SIDE][SIDE_OF_HASH], down[SIDE_OF_HASH][SIDE] = {{0}}, spectrum[BITS_OF_HASH] = {0}, energy = 0;
    for (size_t y = 0; y < SIDE; y++) {
        double luma[SIDE];
        for (size_t x = 0; x < SIDE; x++) {
            const uint8_t *pixel = thumbnail[y][x];
            luma[x] = (double)how->luma[0] * pixel[0] + (double)how->luma[1] * pixel[1] +
                (double)how->luma[2] * pixel[2];
        }
        for (size_t u = 0; u < SIDE_OF_HASH; u++)
            for (size_t x = 0; x < SIDE; x++)
                down[u][x] += how->basis[u][y] * luma[x];
    }
    for (size_t x = 0; x < SIDE; x++)
        for (size_t v = 0; v < SIDE_OF_HASH; v++)
            across[x][v] = how->basis[v][x];
    for (size_t u = 0; u < SIDE_OF_HASH; u++)
        for (size_t x = 0; x < SIDE; x++)
            for (size_t v = 0; v < SIDE_OF_HASH; v++)
                spectrum[u * SIDE_OF_HASH + v] += down[u][x] * across[x][v];
    for (size_t i = 1; i < BITS_OF_HASH; i++)
        energy += spectrum[i] * spectrum[i];
    /* With an error of ERROR_OF_ONE in each the root of the energy is off by eight times that at most. */
    double off = 8 * ERROR_OF_ONE, least = how->least - off, most = how->least + off;
    found->hash = 0, found->unused = 0;
    found->told = energy < least * least ? NO_TEXTURE : NOT_TOLD;
    if (energy < most * most)
        return;
    /* The constant one is not among those whose median it is: no number is less than it. */
    spectrum[0] = DBL_MAX;
    double median = 0, nearest = DBL_MAX;
    for (size_t i = 1; i < BITS_OF_HASH; i++) {
        double one = spectrum[i];
        int64_t less = 0;
        for (size_t j = 0; j < BITS_OF_HASH; j++)
            less += spectrum[j] < one;
        if (less == (BITS_OF_HASH - 1) / 2)
            median = one;
    }
    size_t equal = 0;
    for (size_t i = 1; i < BITS_OF_HASH; i++) {
        double away = spectrum[i] < median ? median - spectrum[i] : spectrum[i] - median;
        equal += away == 0;
        nearest = away > 0 && away < nearest ? away : nearest;
        found->hash |= (uint64_t)(spectrum[i] > median) << (BITS_OF_HASH - 1 - i);
    }
    if (equal == 1 && nearest > UNSURE)
        found->told = TOLD;
}
