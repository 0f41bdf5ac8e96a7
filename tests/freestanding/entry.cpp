// SPDX-License-Identifier: MIT
//
// What a kernel brings along: the four memory functions, and an entry that ends the program with the status of
// freestanding_main. Compiled so that the loops do not become calls of the functions they implement.

using size_type = decltype(sizeof 0);

extern "C" {

void* memcpy(void* to, const void* from, size_type count) {
    for (size_type i = 0; i < count; ++i) {
        static_cast<char*>(to)[i] = static_cast<const char*>(from)[i];
    }
    return to;
}

void* memmove(void* to, const void* from, size_type count) {
    if (to <= from) {
        return memcpy(to, from, count);
    }
    for (size_type i = count; i-- > 0;) {
        static_cast<char*>(to)[i] = static_cast<const char*>(from)[i];
    }
    return to;
}

void* memset(void* to, int value, size_type count) {
    for (size_type i = 0; i < count; ++i) {
        static_cast<char*>(to)[i] = static_cast<char>(value);
    }
    return to;
}

int memcmp(const void* a, const void* b, size_type count) {
    for (size_type i = 0; i < count; ++i) {
        const int difference = static_cast<const unsigned char*>(a)[i] - static_cast<const unsigned char*>(b)[i];
        if (difference != 0) {
            return difference;
        }
    }
    return 0;
}
}

// Align the stack as a call would, call, and leave by the system's exit.
#if defined(__x86_64__)
__asm__(".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    call freestanding_main\n"
        "    mov %eax, %edi\n"
        "    mov $60, %eax\n"
        "    syscall\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n"
        "_start:\n"
        "    mov x29, #0\n"
        "    bl freestanding_main\n"
        "    mov x8, #93\n"
        "    svc #0\n");
#else
#error "an entry for this machine is missing"
#endif
