// Package merge brings together what two requests made of one session.
package merge

// Values returns what both sides made of base: theirs, which is stored by now, with what changed
// from base to ours applied on top, key by key. A deletion is a change. Of a key that both sides
// changed, ours stands, except where all there is under it are lists ([]any, as flashes are):
// then what either side appended is kept, theirs first, and what either side removed is gone.
//
// equal tells whether two values under a key are the same. None of the maps is changed; the
// result shares values with theirs and ours.
func Values(base, theirs, ours map[any]any, equal func(key, a, b any) bool) map[any]any {
	merged := make(map[any]any, max(len(theirs), len(ours)))
	for k, t := range theirs {
		if v, ok := value(k, base, t, true, ours, equal); ok {
			merged[k] = v
		}
	}
	for k := range ours {
		if _, done := theirs[k]; done {
			continue
		}
		if v, ok := value(k, base, nil, false, ours, equal); ok {
			merged[k] = v
		}
	}
	return merged
}

// value merges what stands under one key, which theirs has or not.
func value(k any, base map[any]any, t any, inTheirs bool, ours map[any]any, equal func(key, a, b any) bool) (v any, ok bool) {
	b, inBase := base[k]
	o, inOurs := ours[k]
	if inTheirs == inBase && (!inTheirs || equal(k, t, b)) {
		return o, inOurs // unchanged by them: what the request may still hold a pointer to stays its own
	}
	if inOurs == inBase && (!inOurs || equal(k, o, b)) {
		return t, inTheirs // unchanged by us
	}
	bs, ok1 := list(b, inBase)
	ts, ok2 := list(t, inTheirs)
	os, ok3 := list(o, inOurs)
	if !ok1 || !ok2 || !ok3 || !inTheirs && !inOurs {
		return o, inOurs
	}
	merged := lists(bs, ts, os, func(a, b any) bool { return equal(k, a, b) })
	return merged, len(merged) > 0 || inTheirs && inOurs
}

// list returns a value as a list: what is not there is an empty one.
func list(v any, there bool) ([]any, bool) {
	if !there {
		return nil, true
	}
	l, ok := v.([]any)
	return l, ok
}

// lists merges lists: what both sides kept of base, then what they added, then what we added.
func lists(base, theirs, ours []any, equal func(a, b any) bool) []any {
	keptByThem, added := difference(base, theirs, equal)
	keptByUs, addedByUs := difference(base, ours, equal)
	merged := make([]any, 0, len(theirs)+len(ours))
	for i, v := range base {
		if keptByThem[i] && keptByUs[i] {
			merged = append(merged, v)
		}
	}
	return append(append(merged, added...), addedByUs...)
}

// maxTable bounds the work of difference on lists that share neither beginning nor end.
const maxTable = 1 << 20

// difference tells which elements of base a side kept, and returns those that it added, by a
// longest common subsequence.
func difference(base, side []any, equal func(a, b any) bool) (kept []bool, added []any) {
	kept = make([]bool, len(base))
	// What is appended, and what is taken from the front, leaves a common run.
	start := 0
	for start < len(base) && start < len(side) && equal(base[start], side[start]) {
		kept[start] = true
		start++
	}
	end := 0
	for end < len(base)-start && end < len(side)-start && equal(base[len(base)-1-end], side[len(side)-1-end]) {
		kept[len(base)-1-end] = true
		end++
	}
	b, s := base[start:len(base)-end], side[start:len(side)-end]
	if len(b) == 0 || len(s) == 0 || len(b)*len(s) > maxTable {
		return kept, s
	}
	// length[i][j] is that of the longest common subsequence of b[i:] and s[j:].
	same := make([][]bool, len(b))
	length := make([][]int, len(b)+1)
	length[len(b)] = make([]int, len(s)+1)
	for i := len(b) - 1; i >= 0; i-- {
		same[i] = make([]bool, len(s))
		length[i] = make([]int, len(s)+1)
		for j := len(s) - 1; j >= 0; j-- {
			if same[i][j] = equal(b[i], s[j]); same[i][j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(b) && j < len(s) {
		switch {
		case same[i][j]:
			kept[start+i] = true
			i++
			j++
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			added = append(added, s[j])
			j++
		}
	}
	return kept, append(added, s[j:]...)
}
