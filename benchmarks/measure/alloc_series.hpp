// SPDX-License-Identifier: MIT
#pragma once

#include "alloc_footprint.hpp"

#include <cstddef>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace pagefold::measure {

/// Points of a curve, for a plot: what was done (operations for each object of the full population), bytes held, bytes
/// requested. Goes to FOLDER/alloc_SCENE.CONTENDER.dat.
class alloc_series {
public:
    alloc_series(const std::string& folder, const std::string& scene, const std::string& contender)
        : file_{std::fopen((folder + "/alloc_" + scene + "." + contender + ".dat").c_str(), "w"), std::fclose} {
        if (!file_) {
            throw std::runtime_error("cannot write into " + folder);
        }
        std::fputs("# operations an object, bytes held, bytes requested\n", file_.get());
    }

    template <class Heap>
    void add(double at, const object_population<Heap>& objects) {
        std::fprintf(file_.get(), "%.4f %zu %zu\n", at, objects.held(), objects.requested());
    }

private:
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

/// The scenes of the plots. Each starts with its own heap.
template <class Heap>
class alloc_scenes {
public:
    using size_list = std::vector<std::uint16_t>;

    alloc_scenes(std::string folder, std::string contender, std::size_t count)
        : folder_{std::move(folder)}, contender_{std::move(contender)}, count_{count} {}

    /// Objects come and go, ten times over.
    template <class MakeHeap>
    void churn(const size_list& sizes, MakeHeap make_heap) const {
        constexpr std::size_t steps = 40;
        alloc_series out{folder_, "churn", contender_};
        object_population<Heap> objects{count_, seed, make_heap};
        objects.fill(count_, sizes);
        out.add(0, objects);
        for (std::size_t i = 1; i <= steps; ++i) {
            objects.churn(10 * count_ / steps, sizes);
            out.add(10.0 * static_cast<double>(i) / steps, objects);
        }
    }

    /// A random half goes; then the heap is told to compact; the others come and go once; the half comes again.
    template <class MakeHeap>
    void half_free(const size_list& sizes, MakeHeap make_heap) const {
        constexpr std::size_t steps = 20;
        alloc_series out{folder_, "half_free", contender_};
        object_population<Heap> objects{count_, seed, make_heap};
        objects.fill(count_, sizes);
        objects.churn(2 * count_, sizes);
        out.add(0, objects);
        const std::size_t half = count_ / 2;
        const auto at = [](double from, std::size_t step) { return from + 0.5 * static_cast<double>(step) / steps; };
        for (std::size_t i = 0; i < steps; ++i) {
            objects.free_some(half * i / steps, half * (i + 1) / steps);
            out.add(at(0, i + 1), objects);
        }
        objects.compact();
        out.add(0.5, objects);
        for (std::size_t i = 0; i < steps; ++i) {
            objects.churn(half / steps, sizes);
            out.add(at(0.5, i + 1), objects);
        }
        for (std::size_t i = 0; i < steps; ++i) {
            objects.fill(count_ * (i + 1) / steps, sizes);
            out.add(at(1, i + 1), objects);
        }
    }

    /// Objects of the first sizes are replaced, one by one in a random order, by those of the second; then the heap is
    /// told to compact, and it goes back to the first. `often`: it is told to at every point of the curve.
    template <class MakeHeap>
    void shift(const size_list& first, const size_list& second, bool often, MakeHeap make_heap) const {
        constexpr std::size_t steps = 20;
        constexpr std::size_t replacements = 3; // for each object: 19 of 20 are of the new sizes then
        alloc_series out{folder_, often ? "shift_compacting" : "shift", contender_};
        object_population<Heap> objects{count_, seed, make_heap};
        objects.fill(count_, first);
        objects.churn(2 * count_, first);
        out.add(0, objects);
        double done = 0;
        for (const size_list* sizes : {&second, &first}) {
            for (std::size_t i = 1; i <= steps; ++i) {
                objects.churn(replacements * count_ / steps, *sizes);
                if (often) {
                    objects.compact();
                }
                out.add(done + static_cast<double>(replacements * i) / steps, objects);
            }
            done += replacements;
            objects.compact();
            out.add(done, objects);
        }
        objects.churn(replacements * count_ / steps, first);
        out.add(done + static_cast<double>(replacements) / steps, objects);
    }

private:
    static constexpr std::uint64_t seed = 77;

    std::string folder_;
    std::string contender_;
    std::size_t count_;
};

} // namespace pagefold::measure
