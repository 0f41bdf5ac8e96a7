# SPDX-License-Identifier: MIT
#
# gnuplot -e "folder='build/plots'" replay.gp
#
# Miss ratios by size of the cache, from the data that `pagefold_replay --plots FOLDER` wrote into the folder.

file(name) = folder . "/replay." . name . ".dat"
all = "probation_clock clock2q_plus s3_fifo s3_fifo_1 sieve clock lru fifo"
names = system("cd '" . folder . "' && for n in " . all . "; do test -s replay.$n.dat && printf '%s ' $n; done; true")
colours = "#0b5394 #b45f06 #38761d #93c47d #8e7cc3 #cc0000 #777777 #bbbbbb"
index_of(name) = sum [i = 1:words(all)] (word(all, i) eq name ? i : 0)

set terminal svg size 960,540 dynamic noenhanced font "Helvetica,15" background "#ffffff"
set border 3 lc rgb "#444444"
set tics nomirror out
set grid ytics lc rgb "#dddddd" lw 1
set key outside right center vertical Left reverse spacing 1.4 samplen 2.5
set output folder . "/replay.svg"
set title "Misses by size of the cache"
set xlabel "objects in the cache"
set ylabel "misses / requests"
set logscale x
set yrange [0:1]
set format y "%.1f"
plot for [name in names] file(name) using 1:2 with linespoints lw (name eq "probation_clock" ? 2.5 : 1.5) pt 7 ps 0.5 \
     lc rgb word(colours, index_of(name)) title name
