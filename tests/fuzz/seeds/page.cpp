// SPDX-License-Identifier: MIT
//
// Writes the seeds of the targets `page_decode`, `page_paths` and `page_delta` into their folders below the one that it is given:
//
//     c++ -std=c++20 -Iinclude -Itests tests/fuzz/seeds/page.cpp -o page_seeds && ./page_seeds tests/fuzz/seeds

#include <support/delta_pages.hpp>
#include <support/page_stream_writer.hpp>
#include <support/pages.hpp>

#include <pagefold/compress/page.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace pagefold;
using namespace pagefold::testing;

std::filesystem::path folder;

template <class Byte>
void write_seed(const std::string& name, std::uint8_t choice, const std::vector<Byte>& bytes) {
    std::ofstream file{folder / name, std::ios::binary};
    file.put(static_cast<char>(choice));
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// The streams that the encoder makes of pages with 300 bytes of something, at the front or all over.
template <page_level Level>
void encoded(const std::string& name, std::uint8_t choice, std::size_t page_size, page_kind kind, bool is_repeated) {
    const std::vector<std::byte> some = page_of(304, kind, 7);
    std::vector<std::byte> page(page_size);
    for (std::size_t i = 0; i < page_size && (is_repeated || i < some.size()); ++i) {
        page[i] = some[i % some.size()];
    }
    const basic_page_codec<Level> codec;
    std::vector<std::byte> stream(codec.bound(page_size));
    const std::unique_ptr<std::byte[]> memory{new std::byte[codec.scratch_size(page_size) + scratch_alignment]};
    const auto at = round_up(reinterpret_cast<std::uintptr_t>(memory.get()), scratch_alignment);
    const byte_span scratch{reinterpret_cast<std::byte*>(at), codec.scratch_size(page_size)};
    if (const result<std::size_t> size = codec.compress(page, stream, scratch)) {
        stream.resize(*size);
        write_seed(name, choice, stream);
    }
}

/// A stream with each section in one of its forms, of a page that is mostly one lag.
void written(const std::string& name, const stream_style& style) {
    rng random{11};
    unit_parts parts = random_parts(random, 0);
    parts.takes_lag = {};
    parts.is_zeros = {};
    parts.masks = {};
    parts.lags.clear();
    parts.literals.clear();
    for (std::size_t i = 0; i < unit_parts::blocks; ++i) {
        parts.is_zeros[i] = i < 8;
        if (i % 32 == 9) {
            parts.takes_lag[i] = true;
            parts.lags.push_back(static_cast<unsigned>(16 + i / 32 * 8));
        }
    }
    for (std::size_t i = 0; i < 40; ++i) {
        parts.masks[i * 12] = i % 8 == 0 ? 0xa5 : 0xff;
        for (unsigned count = i % 8 == 0 ? 4 : 8; count > 0; --count) {
            parts.literals.push_back(static_cast<std::uint8_t>(random.one_in(9) ? random() : 'a' + random.below(20)));
        }
    }
    bool is_wrong = false;
    write_seed(name, 0, page_stream_writer{3}.write(parts, style, false, is_wrong));
}

/// The delta of a pair that is made of the base `kind`: a stream for the decoder.
void delta(const std::string& name, std::uint8_t kind, std::uint64_t how) {
    std::vector<std::byte> pair = delta_pair(kind * delta_pair_kinds + how);
    const auto stream = delta_on_path<page_level::balanced>{default_page_path()}.compress(pair);
    if (stream) {
        std::vector<std::byte> bytes{std::byte{kind}};
        bytes.insert(bytes.end(), stream->begin(), stream->end());
        write_seed(name, 0, bytes);
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: page_seeds FOLDER\n");
        return 2;
    }
    folder = std::filesystem::path(argv[1]) / "page_decode";
    std::filesystem::create_directories(folder);
    encoded<page_level::fast>("text_fast", 0, 4096, page_kind::text, true);
    encoded<page_level::balanced>("pointers_balanced", 0, 4096, page_kind::pointers, true);
    encoded<page_level::high>("pointers_high", 0, 4096, page_kind::pointers, false);
    encoded<page_level::high>("noise_high", 0, 4096, page_kind::random, true);
    encoded<page_level::balanced>("sparse_balanced", 0, 4096, page_kind::sparse, false);
    encoded<page_level::balanced>("two_units_text", 2, 8192, page_kind::text, true);
    encoded<page_level::high>("four_units_pointers", 3, 16384, page_kind::pointers, true);
    written("written_plain", {});
    written("written_literals_packed", {.literals_packed = true});
    written("written_alphabet_1", {.literals_packed = true, .alphabet = 1});
    written("written_alphabet_2", {.literals_packed = true, .alphabet = 2});
    written("written_alphabet_3", {.literals_packed = true, .alphabet = 3});
    written("written_masks_packed", {.masks_packed = true, .marks_sparse = true});
    written("written_masks_inverted", {.masks_inverted = true});
    written("written_sparse", {.marks_sparse = true, .choices_sparse = true, .lag_tops_sparse = true});
    written("written_all_packed", {.literals_packed = true,
                                   .masks_packed = true,
                                   .marks_sparse = true,
                                   .choices_sparse = true,
                                   .lag_tops_sparse = true});

    folder = std::filesystem::path(argv[1]) / "page_paths";
    std::filesystem::create_directories(folder);
    constexpr std::uint8_t repeated = 4;
    constexpr std::uint8_t growing = 8;
    constexpr std::uint8_t larger = 3;
    write_seed("text", repeated, page_of(304, page_kind::text, 7));
    write_seed("text_once", 0, page_of(304, page_kind::text, 8));
    write_seed("pointers", repeated | growing, page_of(48, page_kind::pointers, 7));
    write_seed("pointers_two_units", repeated | growing | larger, page_of(304, page_kind::pointers, 9));
    write_seed("sparse", repeated, page_of(512, page_kind::sparse, 7));
    write_seed("noise_once", 0, page_of(304, page_kind::random, 7));
    write_seed("noise", repeated, page_of(1024, page_kind::random, 7));
    write_seed("period_24", repeated | growing, page_of(24, page_kind::pointers, 5));

    folder = std::filesystem::path(argv[1]) / "page_delta";
    std::filesystem::create_directories(folder);
    delta("stream_words_changed", 0, 0);
    delta("stream_lines_changed", 3, 1);
    delta("stream_part_moved", 10, 2);
    delta("stream_equal", 8, 5);
    write_seed("page_three_bytes_changed", 1, std::vector<std::uint8_t>{8, 0, 0, 7, 0, 8, 9, 255, 15, 1});
    write_seed("page_first_line_changed", 1,
               std::vector<std::uint8_t>{4, 0, 0, 1, 9, 0, 2, 20, 0, 3, 40, 0, 4, 63, 0, 5});
    return 0;
}
