/* SPDX-License-Identifier: MIT
 *
 * From the loader to C++, and from an interrupt to C++ and back.
 *
 * PVH (https://xenbits.xen.org/docs/unstable/misc/pvh.html): the note names a 32-bit entry; ebx points to the start info.
 * The first 4 GiB are mapped one to one with pages of 2 MiB before long mode is entered. */

    .section .note.pvh, "a", @note
    .align 4
    .long 4, 4, 18                  /* sizes of name and value, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long entry

    .set pages_of_tables, 4         /* page directories, a GiB each */

    .section .bss
    .align 4096
    .globl root_table
root_table:
    .skip 4096
pointer_table:
    .skip 4096
directories:
    .skip 4096 * pages_of_tables
    .globl stack_bottom, stack_top
stack_bottom:
    .skip 65536
stack_top:

    .section .rodata
    .align 8
descriptors:
    .quad 0
    .quad 0x00af9a000000ffff        /* 0x08: code, 64-bit */
    .quad 0x00cf92000000ffff        /* 0x10: data */
descriptors_pointer:
    .word . - descriptors - 1
    .long descriptors

    .text
    .code32
    .globl entry
entry:
    cli
    cld
    mov $stack_top, %esp

    /* directory entries: present, writable, 2 MiB */
    mov $0x83, %eax
    mov $directories, %edi
1:  mov %eax, (%edi)
    add $0x200000, %eax
    jc 2f
    add $8, %edi
    cmp $directories + 4096 * pages_of_tables, %edi
    jb 1b
2:  mov $directories + 3, %eax
    mov $pointer_table, %edi
3:  mov %eax, (%edi)
    add $4096, %eax
    add $8, %edi
    cmp $pointer_table + 8 * pages_of_tables, %edi
    jb 3b
    movl $pointer_table + 3, root_table

    mov %cr4, %eax
    or $0x20, %eax                  /* PAE */
    mov %eax, %cr4
    mov $root_table, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx           /* EFER */
    rdmsr
    or $0x100, %eax                 /* long mode */
    wrmsr
    mov %cr0, %eax
    or $0x80010001, %eax            /* paging, write protection for the kernel too, protected mode */
    mov %eax, %cr0
    lgdt descriptors_pointer
    ljmp $0x08, $long_entry

    .code64
long_entry:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $stack_top, %esp
    xor %ebp, %ebp
    mov %ebx, %edi
    call kernel_main
1:  hlt
    jmp 1b

/* Interrupts. Each stub makes the same frame (kernel::interrupt_frame), with a zero where the processor pushes no code. */

    .altmacro
    .macro stub vector
stub_\vector:
    .if !((\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21))
    push $0
    .endif
    push $\vector
    jmp interrupt
    .endm
    .macro stub_address vector
    .quad stub_\vector
    .endm

    .set vector, 0
    .rept 48
    stub %vector
    .set vector, vector + 1
    .endr

interrupt:
    cld
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push %rbp
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rbx
    push %rax
    mov %rsp, %rdi                  /* 22 quads since the processor aligned the stack: aligned again */
    call on_interrupt
    pop %rax
    pop %rbx
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    pop %rbp
    pop %r8
    pop %r9
    pop %r10
    pop %r11
    pop %r12
    pop %r13
    pop %r14
    pop %r15
    add $16, %rsp
    iretq

    .section .rodata
    .align 8
    .globl interrupt_stubs
interrupt_stubs:
    .set vector, 0
    .rept 48
    stub_address %vector
    .set vector, vector + 1
    .endr

    .section .note.GNU-stack, "", @progbits
