/* The part of measure.c that decodes a JPEG and measures it on the way, a few rows at a time, while these are in a
 * processor's first cache. The decoder is libjpeg-turbo, whose functions the caller has found in a library.
 *
 * It takes ordinary files alone, of which all versions of libjpeg-turbo make the same bits: 8 bits, Huffman coding, not
 * progressive, gray or YCbCr with the usual sampling. Whatever is not ordinary, and whatever the decoder warns of, is
 * left to the caller, who has words for it. */

#include <setjmp.h>

enum {
    LIBRARY_VERSION = 62,            /* JPEG_LIB_VERSION: of the layout below */
    GRAY = 1, YCBCR = 3, RGB = 6,    /* JCS_GRAYSCALE, JCS_YCbCr, JCS_EXT_RGB */
    STRIP = 1 << 14,                 /* bytes of rows that are measured at a time */
    MOST_ROWS = 64                   /* and no more than that */
};

/* What `dataguard_measure_jpeg` returns beside 0. */
enum { NO_MEMORY = 1, NOT_FOR_THIS = 2 };

/* struct jpeg_error_mgr of jpeglib.h, and room for what is behind. */
typedef struct {
    void (*give_up)(void *);
    void (*warn)(void *, int);
    void (*print)(void *);
    void *private[32];
} Errors;

/* struct jpeg_decompress_struct of jpeglib.h, as far as it is used here. libjpeg refuses one of another size. */
typedef struct {
    Errors *errors;
    void *memory, *progress;
    void *caller;
    int is_decompressor, state;
    void *source;
    uint32_t width, height;
    int components;
    int stored_colours, wanted_colours;
    int private[17];
    uint32_t output_width, output_height;
    int output_colours, output_components;
    int more_private[4];
    uint32_t output_row;
    int rest[115];
} Decompressor;

_Static_assert(sizeof(void *) != 8 || sizeof(Decompressor) == 632, "jpeg_decompress_struct of libjpeg 6.2");
_Static_assert(sizeof(void *) != 8 || offsetof(Decompressor, output_width) == 136, "output_width");
_Static_assert(sizeof(void *) != 8 || offsetof(Decompressor, output_row) == 168, "output_scanline");

/* Of libjpeg: jpeg_std_error, jpeg_CreateDecompress, jpeg_mem_src, jpeg_read_header, jpeg_start_decompress,
 * jpeg_read_scanlines, jpeg_finish_decompress, jpeg_destroy_decompress. */
typedef struct {
    Errors *(*errors)(Errors *);
    void (*create)(Decompressor *, int, size_t);
    void (*from_memory)(Decompressor *, const uint8_t *, unsigned long);
    int (*read_header)(Decompressor *, int);
    int (*start)(Decompressor *);
    uint32_t (*read_rows)(Decompressor *, uint8_t **, uint32_t);
    int (*finish)(Decompressor *);
    void (*destroy)(Decompressor *);
} Library;

typedef struct {
    Decompressor decompressor; /* first, for it is what the decoder passes on */
    Errors errors;
    jmp_buf back;
    uint8_t *half, *rows;
} Decoding;

typedef struct {
    uint32_t height, width, channels, unused;
    Hash hash;
} Shape;

static void give_up(void *decompressor)
{
    longjmp(((Decoding *)decompressor)->back, 1);
}

static void give_up_if_warned(void *decompressor, int level)
{
    if (level < 0)
        give_up(decompressor);
}

static void say_nothing(void *decompressor)
{
    (void)decompressor;
}

static unsigned two_bytes(const uint8_t *at)
{
    return 256u * at[0] + at[1];
}

/* Whether a file is one of the ordinary ones by its frame header (ITU T.81, B.2.2), and what that says. */
static int is_ordinary(const uint8_t *data, size_t size, Shape *shape)
{
    if (size < 4 || memcmp(data, "\xff\xd8\xff", 3) != 0 || memcmp(data + size - 2, "\xff\xd9", 2) != 0)
        return 0;
    for (size_t at = 2; size - at >= 19;) {
        unsigned marker = data[at + 1];
        if (data[at] != 0xFF || marker < 0xC0 || (marker >= 0xD0 && marker <= 0xDA) || marker == 0xFF)
            return 0;
        size_t length = two_bytes(data + at + 2);
        if (marker == 0xC0 || marker == 0xC1) {
            const uint8_t *frame = data + at + 4, *sampling = frame + 7;
            shape->height = two_bytes(frame + 1), shape->width = two_bytes(frame + 3), shape->channels = frame[5];
            if (frame[0] != 8 || shape->height == 0 || shape->width == 0 || length != 8 + 3 * shape->channels)
                return 0;
            if (shape->channels == 1)
                return 1;
            return shape->channels == 3 && (sampling[0] == 0x11 || sampling[0] == 0x21 || sampling[0] == 0x22) &&
                sampling[3] == 0x11 && sampling[6] == 0x11;
        }
        if ((marker < 0xD0 && marker != 0xC4) || length < 2 || length + 2 > size - at)
            return 0;
        at += 2 + length;
    }
    return 0;
}

/* Whether no side is left longer than LONGEST after halving. */
static int is_short(size_t height, size_t width)
{
    for (; height >= LARGE && width >= LARGE && (height > LONGEST || width > LONGEST);)
        height = (height + 1) / 2, width = (width + 1) / 2;
    return height <= LONGEST && width <= LONGEST;
}

static int decode_and_measure(Decoding *this, const Library *library, const Transform *how, const uint8_t *data,
                              size_t size, Shape *shape, Measured *found)
{
    static const uint8_t order[2][3] = {{0, 0, 0}, {0, 1, 2}};
    Decompressor *decompressor = &this->decompressor;
    size_t width = shape->width, height = shape->height, channels = shape->channels, row = width * channels;
    if (setjmp(this->back))
        return NOT_FOR_THIS;
    decompressor->errors = library->errors(&this->errors);
    this->errors.give_up = give_up, this->errors.warn = give_up_if_warned, this->errors.print = say_nothing;
    library->create(decompressor, LIBRARY_VERSION, sizeof *decompressor);
    library->from_memory(decompressor, data, (unsigned long)size);
    library->read_header(decompressor, 1);
    if (decompressor->width != width || decompressor->height != height ||
        decompressor->components != (int)channels ||
        decompressor->stored_colours != (channels == 1 ? GRAY : YCBCR))
        return NOT_FOR_THIS;
    if (channels == 3)
        decompressor->wanted_colours = RGB;
    library->start(decompressor);
    if (decompressor->output_width != width || decompressor->output_height != height ||
        decompressor->output_components != (int)channels)
        return NOT_FOR_THIS;
    /* A small picture is kept whole, for its thumbnail is made of all its pixels. */
    Kind kind = best_kind(height, width, channels);
    size_t strip = STRIP / row / 2 * 2;
    strip = strip < 2 ? 2 : strip > MOST_ROWS ? MOST_ROWS : strip;
    if (make_half(height, width, channels, &this->half))
        return NO_MEMORY;
    int halved = this->half != NULL;
    this->rows = malloc((halved ? strip : height) * row);
    if (this->rows == NULL)
        return NO_MEMORY;
    memset(found, 0, offsetof(Measured, thumbnail));
    for (size_t top = 0; top < height; top += strip) {
        uint8_t *start = halved ? this->rows : this->rows + top * row, *wanted[MOST_ROWS];
        size_t rows = height - top < strip ? height - top : strip, read = 0;
        for (size_t i = 0; i < rows; i++)
            wanted[i] = start + i * row;
        while (read < rows) {
            uint32_t more = library->read_rows(decompressor, wanted + read, (uint32_t)(rows - read));
            if (more == 0)
                return NOT_FOR_THIS;
            read += more;
        }
        uint8_t *half = halved ? this->half + top / 2 * ((width + 1) / 2) * channels : NULL;
        add_rows_of(kind, start, half, rows, width, channels, found);
    }
    library->finish(decompressor);
    if (draw_of(kind, this->half, this->rows, height, width, channels, order[channels == 3], found))
        return NO_MEMORY;
    hash_thumbnail(kind, found, how, &shape->hash);
    return 0;
}

/* Measures a JPEG file.
 *
 * library: the functions of a libjpeg-turbo, whose JPEG_LIB_VERSION is 62.
 * how: what perceptual hashes are made with.
 * most: pictures of more pixels are left alone.
 * shape: height, width and channels, which are red, green and blue, or gray; and the perceptual hash.
 * Returns 0; NO_MEMORY; or NOT_FOR_THIS, which is no verdict on the file.
 */
int dataguard_measure_jpeg(const Library *library, const Transform *how, const uint8_t *data, size_t size,
                           uint64_t most, Shape *shape, Measured *found)
{
    if (!is_ordinary(data, size, shape) || (uint64_t)shape->width * shape->height > most ||
        !is_short(shape->height, shape->width))
        return NOT_FOR_THIS;
    Decoding this;
    memset(&this, 0, sizeof this);
    int code = decode_and_measure(&this, library, how, data, size, shape, found);
    library->destroy(&this.decompressor);
    free(this.half);
    free(this.rows);
    return code;
}
