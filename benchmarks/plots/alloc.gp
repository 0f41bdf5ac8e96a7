# SPDX-License-Identifier: MIT
#
# gnuplot -e "folder='build/plots'" alloc.gp
#
# Footprints of the allocators over time, from the data that `pagefold_measure --plots FOLDER` wrote into the folder.

file(scene, name) = folder . "/alloc_" . scene . "." . name . ".dat"
present(scene) = system(sprintf("cd '%s' && for n in zs xv tlsf glibc jemalloc mimalloc; do test -s alloc_%s.$n.dat && printf '%%s ' $n; done", folder, scene))

# One look for each contender in all plots: ours are full and dark, peers thin and light.
order = "zs xv tlsf glibc jemalloc mimalloc"
colours = "#0b5394 #b45f06 #38761d #777777 #cc0000 #8e7cc3"
colour(name) = word(colours, index_of(name))
index_of(name) = sum [i = 1:words(order)] (word(order, i) eq name ? i : 0)
width(name) = index_of(name) <= 3 ? 2.5 : 1.5

set terminal svg size 960,540 dynamic font "Helvetica,15" background "#ffffff"
set border 3 lc rgb "#444444"
set tics nomirror out
set grid ytics lc rgb "#dddddd" lw 1
set key outside right center vertical Left reverse spacing 1.4 samplen 2.5
set xlabel "operations (free + allocate) for each object"

set output folder . "/alloc_churn.svg"
set title "Random churn: bytes held over bytes requested"
set ylabel "held over requested"
set format y "%.2f"
set yrange [1:*]
names = present("churn")
plot for [name in names] file("churn", name) using 1:($2/$3) with lines lw width(name) lc rgb colour(name) title name

set output folder . "/alloc_half_free.svg"
set title "A random half is freed, the heap is told to compact, the rest lives on, the half comes back"
set ylabel "MiB"
set format y "%.0f"
set yrange [0:*]
set xlabel "operations for each object of the full population"
set xrange [0:1.5]
set label 1 "freeing" at graph 0.166, graph 0.03 center tc rgb "#444444"
set label 2 "free + allocate" at graph 0.5, graph 0.03 center tc rgb "#444444"
set label 3 "allocating" at graph 0.833, graph 0.03 center tc rgb "#444444"
set arrow 1 from 0.5, graph 0 to 0.5, graph 1 nohead lc rgb "#bbbbbb" dt 2 back
set arrow 2 from 1, graph 0 to 1, graph 1 nohead lc rgb "#bbbbbb" dt 2 back
names = present("half_free")
plot for [name in names] file("half_free", name) using 1:($2/1048576) with lines lw width(name) lc rgb colour(name) \
         title name, \
     file("half_free", word(names, 1)) using 1:($3/1048576) with lines lw 1.5 dt 3 lc rgb "#000000" title "requested"
unset label
unset arrow
set xrange [*:*]

names = present("shift")
if (words(names) > 0) {
    set output folder . "/alloc_shift.svg"
    set title "Sizes shift from process memory to page cache and back: bytes held over bytes requested"
    set ylabel "held over requested"
    set format y "%.1f"
    set xlabel "operations (free + allocate) for each object; the heaps are told to compact at 3 and 6"
    set yrange [1:*]
    set xrange [0:6.15]
    set label 1 "to page cache" at 1.5, graph 0.97 center tc rgb "#444444"
    set label 2 "to process memory" at 4.5, graph 0.97 center tc rgb "#444444"
    set arrow 1 from 3, graph 0 to 3, graph 1 nohead lc rgb "#bbbbbb" dt 2 back
    compacting = present("shift_compacting")
    plot for [name in names] file("shift", name) using 1:($2/$3) with lines lw width(name) lc rgb colour(name) \
             title name, \
         for [name in compacting] file("shift_compacting", name) using 1:($2/$3) with lines lw width(name) dt 2 \
             lc rgb colour(name) title name . ", compacting"
}
