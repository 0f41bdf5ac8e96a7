// SPDX-License-Identifier: MIT
//
// The four functions that compilers call unasked, and so all that the library wants linked. String instructions: a loop
// could be compiled into a call of the function that it implements, and they need no vector register. (Backwards they
// are slow: only an overlap pays for it.)

using size_type = decltype(sizeof 0);

extern "C" {

void* memcpy(void* to, const void* from, size_type count) {
    void* const start = to;
    __asm__ __volatile__("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return start;
}

void* memmove(void* to, const void* from, size_type count) {
    auto* const last_to = static_cast<char*>(to) + count - 1;
    const auto* const last_from = static_cast<const char*>(from) + count - 1;
    if (to <= from || last_from < to) {
        return memcpy(to, from, count);
    }
    auto* at_to = last_to;
    const auto* at_from = last_from;
    __asm__ __volatile__("std\n\trep movsb\n\tcld" : "+D"(at_to), "+S"(at_from), "+c"(count) : : "memory");
    return to;
}

void* memset(void* to, int value, size_type count) {
    void* const start = to;
    __asm__ __volatile__("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
    return start;
}

int memcmp(const void* a, const void* b, size_type count) {
    const auto* left = static_cast<const unsigned char*>(a);
    const auto* right = static_cast<const unsigned char*>(b);
    for (; count >= 8; count -= 8, left += 8, right += 8) {
        unsigned long long x, y;
        __builtin_memcpy(&x, left, 8);
        __builtin_memcpy(&y, right, 8);
        if (x != y) {
            x = __builtin_bswap64(x);
            y = __builtin_bswap64(y);
            return x < y ? -1 : 1;
        }
    }
    for (; count != 0; --count, ++left, ++right) {
        if (*left != *right) {
            return *left < *right ? -1 : 1;
        }
    }
    return 0;
}
}
