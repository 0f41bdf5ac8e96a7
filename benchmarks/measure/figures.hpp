// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace pagefold::measure {

/// The figures of a run: each has a value a round; what is printed is their median, least and greatest.
class figures {
public:
    enum class kind { counted, context };

    /// Adds the value of a round to a figure that counts: a ratio, or bytes a page.
    void add(std::string_view key, double value) { find(counted_, key).values.push_back(value); }

    /// Adds a value that only explains the others: absolute times and rates of this machine. Not in the JSON.
    void add_context(std::string_view key, double value) { find(context_, key).values.push_back(value); }

    void add(kind which, std::string_view key, double value) {
        which == kind::counted ? add(key, value) : add_context(key, value);
    }

    /// Calls visit(kind, key, value) for every value of every figure.
    template <class Visitor>
    void for_each(Visitor visit) const {
        for (const kind which : {kind::counted, kind::context}) {
            for (const figure& one : which == kind::counted ? counted_ : context_) {
                for (const double value : one.values) {
                    visit(which, one.key, value);
                }
            }
        }
    }

    /// Says why something is missing.
    void note(std::string text) { notes_.push_back(std::move(text)); }

    /// The table: figure, median, min, max, goal, met or not; then the context and the notes.
    void print(std::FILE* to) const;

    /// One flat object of the medians.
    [[nodiscard]] std::string json() const;

private:
    struct figure {
        std::string key;
        std::vector<double> values;
    };
    [[nodiscard]] static figure& find(std::vector<figure>& among, std::string_view key);
    static void print_row(std::FILE* to, const figure& one);

    std::vector<figure> counted_;
    std::vector<figure> context_;
    std::vector<std::string> notes_;
};

/// Of the values; the mean of the middle two when they are even. There must be one.
[[nodiscard]] double median(std::vector<double> values);

} // namespace pagefold::measure
