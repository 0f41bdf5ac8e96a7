# SPDX-License-Identifier: MIT
#
# gnuplot -e "folder='build/test/tests/numa/nodes_4'" numa.gp
#
# Bytes of a store on each memory node over time, from what tests/numa/run.sh wrote into the folder: numa.dat (milliseconds,
# bytes on each node, bytes on none) and numa_phases.dat (when a part of the proof ended, and which).

points = folder . '/numa.dat'
phases = folder . '/numa_phases.dat'
if (!int(system(sprintf("test -s '%s' && echo 1 || echo 0", points)))) { exit }

set terminal svg size 1000,520 dynamic noenhanced font 'Helvetica,13' background rgb 'white'
set output folder . '/numa.svg'

columns = int(system(sprintf("head -n 1 '%s' | wc -w", points)))
nodes = columns - 2
color(i) = word('#1f77b4 #2ca02c #b8860b #c2185b #7b4fa3 #777777', i)
who(i) = nodes == 4 && i > 2 ? ', memory only' : ''

set label 'A store over the memory nodes of a guest: what is on each, in each part of the proof' at screen 0.04,0.95 font ',16'
set tmargin 10
set lmargin 8
set rmargin 14
set xlabel 'seconds'
set ylabel 'MiB'
set grid y linecolor rgb '#e4e4e4' linetype 1
set border 3 linecolor rgb '#888888'
set tics nomirror textcolor rgb '#333333'
set key outside bottom center horizontal maxrows 1 samplen 1.5
set yrange [0:*]
set xrange [0:*]

# A line where each part ended, with its name above it; a name that would stand on the one before is moved aside.
count = int(system(sprintf("wc -l <'%s'", phases)))
last = int(system(sprintf("tail -n 1 '%s' | cut -f 1", phases)))
set xrange [0:last / 1000.0]
at = 0.0
do for [i = 1:count] {
  time = real(system(sprintf("sed -n %dp '%s' | cut -f 1", i, phases))) / last
  name = system(sprintf("sed -n %dp '%s' | cut -f 2", i, phases))
  at = i == 1 || time > at + 0.03 ? time : at + 0.03
  set arrow from graph time, graph 0 to graph time, graph 1 nohead linecolor rgb '#cccccc' dashtype 2 back
  set label name at graph at, graph 1.015 rotate by 35 left font ',11' textcolor rgb '#555555'
}

plot for [i = 1:nodes] points using ($1 / 1000):(column(i + 1) / 1048576) with steps linecolor rgb color(i) linewidth 1.8 \
       title sprintf('node %d%s', i - 1, who(i)), \
     points using ($1 / 1000):(column(columns) / 1048576) with steps linecolor rgb color(6) linewidth 1.2 dashtype 3 \
       title 'none'
