// SPDX-License-Identifier: MIT
#include "command_line.hpp"
#include "console.hpp"
#include "frame_allocator.hpp"
#include "interrupts.hpp"
#include "irq_lock.hpp"
#include "library.hpp"
#include "machine.hpp"
#include "start_info.hpp"
#include "trial.hpp"

#include <cstddef>
#include <cstdint>

extern "C" char image_end[];

namespace kernel {
namespace {

/// The default configuration: where vectors are forbidden, its codec is lz_block.
struct default_kernel_config : pagefold::default_config {
    using lock_type = irq_lock;
};
/// The page codec on its scalar path.
struct page_codec_config : default_kernel_config {
    using compressor_type = pagefold::chain<pagefold::page_codec>;
};

constinit frame_allocator frames;

struct region_size {
    std::size_t anonymous, file;
};
[[nodiscard]] region_size choose_region() noexcept {
    const std::size_t memory = frames.free_frames();
    return {memory + memory / 4, memory / 2};
}

/// Five eighths of the memory are set aside for the store at boot, the region has the rest.
void run_in_carve_out(plant planted) noexcept {
    console::line("default_config (lz_block) over a static_source");
    const region_size size = choose_region();
    const std::size_t count = frames.free_frames() / 8 * 5;
    const auto range = frames.acquire(count, pagefold::any_node);
    require(range.has_value(), "no range for the static_source");
    {
        pagefold::static_source<irq_lock> source{
            {static_cast<std::byte*>(*range), count * frame_allocator::frame_size}};
        {
            trial<default_kernel_config> one{source, frames, size.anonymous, size.file};
            one.run(planted);
        }
        require(source.acquired_bytes() == 0 && source.check(), "the store kept memory of the static_source");
    }
    frames.release(*range, count);
}

/// Store and region share the frames: what reclaim gains is what a page is smaller by.
void run_in_frames(plant planted) noexcept {
    console::line("page codec (scalar) over the frame allocator");
    const region_size size = choose_region();
    trial<page_codec_config> one{frames, frames, size.anonymous, size.file};
    one.run(planted);
}

} // namespace

void assertion_failed(const char* expression, const char* file, int line) noexcept {
    panic("assertion failed: ", expression, " (", file, ":", static_cast<std::uint64_t>(line), ")");
}

extern "C" void kernel_main(const start_info* info) {
    console::open();
    require(info->magic == start_info::expected_magic && info->version >= 1, "no PVH start info with a memory map");
    const plant planted = parse_command_line(reinterpret_cast<const char*>(info->command_line));
    require(planted != plant::unknown, "the command line is not plant=stream, page, assertion or wild: ",
            reinterpret_cast<const char*>(info->command_line));
    require(frames.open(reinterpret_cast<const memory_range*>(info->memory_map), info->memory_map_entries,
                        reinterpret_cast<std::uintptr_t>(image_end)),
            "the memory map has no RAM for the kernel");
    const std::size_t all = frames.free_frames();
    console::line("pagefold in a kernel of its own: ", all, " free frames of 4 KiB");
    constexpr std::size_t least = 2048;
    require(all >= least && all <= max_region_pages / 2, "it needs from 12 to 128 MiB of memory");
    interrupts::open();
    if (planted == plant::assertion) {
        frames.release(nullptr, 1);
        frames.release(reinterpret_cast<void*>(std::uintptr_t{12} << 20), 1);
    }
    run_in_carve_out(planted);
    require(frames.free_frames() == all, "frames were lost");
    run_in_frames(planted);
    require(frames.free_frames() == all, "frames were lost");
    console::line("kernel: every page was right, every frame came back");
    machine::end(machine::outcome::success);
}

} // namespace kernel
