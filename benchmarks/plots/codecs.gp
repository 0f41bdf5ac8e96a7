# SPDX-License-Identifier: MIT
#
# gnuplot -e "folder='build/plots'" codecs.gp
#
# Ratio against both speeds, for all pages and for process memory, from codecs.dat that `pagefold_measure --plots FOLDER`
# wrote into the folder.

points = folder . '/codecs.dat'
if (!int(system(sprintf("test -s '%s' && echo 1 || echo 0", points)))) { exit }

set terminal svg size 1000,800 dynamic noenhanced font 'Helvetica,13' background rgb 'white'
set output folder . '/codecs.svg'
set datafile separator tab
set datafile missing 'nan'

set multiplot layout 2,2 margins 0.065,0.985,0.075,0.88 spacing 0.055,0.11
set label 1 'Page compressors: ratio against speed' at screen 0.065,0.972 font ',17'
set label 2 'up and right is better; 4 KiB pages, one thread' \
  at screen 0.065,0.940 font ',12' textcolor rgb '#555555'

set logscale x 2
set xtics ('⅛' 0.125, '¼' 0.25, '½' 0.5, '1' 1, '2' 2, '4' 4, '8' 8)
set xrange [0.125:8]
set grid x y linecolor rgb '#e4e4e4' linetype 1
set border 3 linecolor rgb '#888888'
set tics nomirror textcolor rgb '#333333'
set offsets graph 0, 0, 0.12, 0.08
unset key

# One colour a family of codecs; its points are joined, in the order of the file. A label stands right of its point, a bit
# above or below where points crowd, or slanted over or under it.
families = 'LZ4 lz_block LZO zstd page page_paths'
title_of(name) = name eq 'page' ? 'page codec, fast to high' : name eq 'page_paths' ? 'page codec balanced, on less capable processors' : name
color(i) = word('#777777 #2ca02c #b8860b #1f77b4 #c2185b #7b4fa3', i)
shape(i) = int(word('7 13 9 5 7 6', i))
is_of(i, name) = name eq word(families, i)
above(name, family) = (name eq 'high' || name eq '-3')
below(name, family) = (name eq 'fast')
over(name, family) = name eq 'AVX2' && panel % 2 == 1
under(name, family) = family eq 'page_paths' && !over(name, family)
beside(name, family) = family ne 'page_paths' && !above(name, family) && !below(name, family)

do for [panel = 0:3] {
  speed = panel % 2 == 0 ? 'compress_speed' : 'decompress_speed'
  only = panel < 2 ? '' : '_anon'
  set title (panel < 2 ? 'all pages' : 'process memory').', '.(panel % 2 == 0 ? 'compression' : 'decompression') font ',14' offset 0,-0.7
  set xlabel (panel < 2 ? '' : (panel % 2 == 0 ? 'compression' : 'decompression').' speed, times LZ4') offset 0,0.4
  set ylabel (panel % 2 == 0 ? 'compression ratio' : '') offset 1.2,0
  if (panel > 0) { unset label }
  if (panel == 0) { set key at screen 0.985,0.985 top right maxrows 3 samplen 1.5 width -4 font ',12' } else { unset key }
  plot for [i = 1:words(families)] points using (is_of(i, strcol('family')) ? column(speed.only) : NaN):(column('ratio'.only)) \
         with linespoints linecolor rgb color(i) pointtype shape(i) pointsize 0.8 linewidth 1.3 title title_of(word(families, i)), \
       for [i = 1:words(families)] points using (is_of(i, strcol('family')) && beside(strcol('label'), strcol('family')) ? column(speed.only) : NaN):(column('ratio'.only)):(strcol('label')) \
         with labels left offset 0.8,0 font ',11' textcolor rgb color(i) notitle, \
       for [i = 1:words(families)] points using (is_of(i, strcol('family')) && above(strcol('label'), strcol('family')) ? column(speed.only) : NaN):(column('ratio'.only)):(strcol('label')) \
         with labels left offset 0.6,0.6 font ',11' textcolor rgb color(i) notitle, \
       for [i = 1:words(families)] points using (is_of(i, strcol('family')) && below(strcol('label'), strcol('family')) ? column(speed.only) : NaN):(column('ratio'.only)):(strcol('label')) \
         with labels left offset 0.6,-0.6 font ',11' textcolor rgb color(i) notitle, \
       for [i = 1:words(families)] points using (is_of(i, strcol('family')) && under(strcol('label'), strcol('family')) ? column(speed.only) : NaN):(column('ratio'.only)):(strcol('label')) \
         with labels left rotate by -50 offset 0.2,-0.8 font ',10' textcolor rgb color(i) notitle, \
       for [i = 1:words(families)] points using (is_of(i, strcol('family')) && over(strcol('label'), strcol('family')) ? column(speed.only) : NaN):(column('ratio'.only)):(strcol('label')) \
         with labels left rotate by 50 offset 0,0.8 font ',10' textcolor rgb color(i) notitle
}
unset multiplot
