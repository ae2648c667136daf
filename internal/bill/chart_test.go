package bill

import (
	"bytes"
	"fmt"
)

// chart returns the tallies as an SVG image without a ground, in colors that read on light and on dark.
func chart(tallies []tally) []byte {
	const (
		left, width, height = 150, 260, 16 // of the bars
		gap, top            = 8, 30
	)
	most := 0.0
	for _, t := range tallies {
		most = max(most, t.readDollars()+t.writeDollars())
	}
	bottom := top + len(tallies)*(height+gap)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 %d" width="480" height="%d" role="img" aria-labelledby="title">
<title id="title">What sessions cost on DynamoDB for a million page views: this store, and one that writes at every Save</title>
<style>
text { font: 12px system-ui, sans-serif; fill: #57606a }
.reads { fill: #218bff }
.writes { fill: #bf8700 }
@media (prefers-color-scheme: dark) { text { fill: #9198a1 } }
</style>
<text x="0" y="14">Dollars per million page views</text>
<rect class="reads" x="230" y="4" width="11" height="11"/><text x="246" y="14">reads</text>
<rect class="writes" x="300" y="4" width="11" height="11"/><text x="316" y="14">writes</text>
`, bottom+12, bottom+12)
	for i, t := range tallies {
		y := top + i*(height+gap)
		reads, writes := t.readDollars()/most*width, t.writeDollars()/most*width
		fmt.Fprintf(&b, "<text x=\"0\" y=\"%d\">%s</text>\n", y+12, t.name)
		fmt.Fprintf(&b, "<rect class=\"reads\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", left, y, reads, height)
		fmt.Fprintf(&b, "<rect class=\"writes\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", left+reads, y, writes, height)
		fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%d\">$%.2f</text>\n", left+reads+writes+8, y+12, t.readDollars()+t.writeDollars())
	}
	fmt.Fprintf(&b, "<text x=\"0\" y=\"%d\">On-demand, us-east-1, since November 2024; make cost</text>\n</svg>\n", bottom+6)
	return b.Bytes()
}
