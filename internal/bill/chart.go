package bill

import (
	"bytes"
	"fmt"
)

// chart returns the tallies as an SVG image, on a ground of its own, so that it reads on light and on dark pages.
func chart(tallies []tally) []byte {
	const (
		left, width, height = 220, 420, 26 // of the bars
		gap, top            = 16, 58
	)
	most := 0.0
	for _, t := range tallies {
		most = max(most, t.readDollars()+t.writeDollars())
	}
	bottom := top + len(tallies)*(height+gap)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 %d" width="720" height="%d" role="img" aria-labelledby="title">
<title id="title">What sessions cost on DynamoDB for a million page views</title>
<style>
.ground { fill: #ffffff; stroke: #d0d7de }
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 }
.note { font-size: 12px; fill: #57606a }
.reads { fill: #54aeff }
.writes { fill: #bf8700 }
</style>
<rect class="ground" x="0.5" y="0.5" width="719" height="%d" rx="6"/>
<text class="title" x="14" y="24">Dollars for a million page views</text>
`, bottom+30, bottom+30, bottom+29)
	fmt.Fprintf(&b, "<rect class=\"reads\" x=\"%d\" y=\"34\" width=\"12\" height=\"12\"/><text class=\"note\" x=\"%d\" y=\"45\">reads</text>\n", left, left+18)
	fmt.Fprintf(&b, "<rect class=\"writes\" x=\"%d\" y=\"34\" width=\"12\" height=\"12\"/><text class=\"note\" x=\"%d\" y=\"45\">writes</text>\n", left+70, left+88)
	for i, t := range tallies {
		y := top + i*(height+gap)
		reads, writes := t.readDollars()/most*width, t.writeDollars()/most*width
		fmt.Fprintf(&b, "<text x=\"14\" y=\"%d\">%s</text>\n", y+18, t.name)
		fmt.Fprintf(&b, "<rect class=\"reads\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", left, y, reads, height)
		fmt.Fprintf(&b, "<rect class=\"writes\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", left+reads, y, writes, height)
		fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%d\">$%.2f</text>\n", left+reads+writes+8, y+18, t.readDollars()+t.writeDollars())
	}
	fmt.Fprintf(&b, "<text class=\"note\" x=\"14\" y=\"%d\">DynamoDB on-demand, us-east-1, prices since November 2024; make cost</text>\n</svg>\n", bottom+14)
	return b.Bytes()
}
