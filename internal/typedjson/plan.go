package typedjson

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A plan is how values of one static type are written and read. Both functions take the depth at which the
// value stands; decode takes a settable zero value.
type plan struct {
	encode func(e *encoder, v reflect.Value, depth int)
	decode func(d *decoder, v reflect.Value, depth int) error

	// nullable: the JSON can be null, or an object that begins with the key $ptr. A pointer to such a value
	// has to be told from a nil pointer.
	nullable bool
	// readsNull: decode knows what to do with null.
	readsNull bool
}

// A planner makes the plans of types and of all the types in them, and notes which have none.
type planner struct {
	plans    map[reflect.Type]*plan
	problems map[string]struct{}
}

func newPlanner() *planner {
	return &planner{plans: make(map[reflect.Type]*plan), problems: make(map[string]struct{})}
}

func (p *planner) problem(text string) { p.problems[text] = struct{}{} }

// plan returns the plan of t. where says in which listed type, and in which of its fields, t stands.
func (p *planner) plan(t reflect.Type, where string) *plan {
	if made := p.plans[t]; made != nil {
		return made // perhaps to be filled yet: t is recursive
	}
	made := new(plan)
	p.plans[t] = made
	p.fill(made, t, where)
	return made
}

func (p *planner) fill(made *plan, t reflect.Type, where string) {
	switch t {
	case timeType:
		*made = timePlan()
		return
	case durationType:
		*made = durationPlan()
		return
	case objectType:
		*made = objectPlan()
		return
	case arrayType:
		*made = arrayPlan()
		return
	}
	switch t.Kind() {
	case reflect.Interface:
		*made = interfacePlan(t)
		return
	case reflect.Pointer:
		p.fillPointer(made, t, where)
		return
	}
	if m, ok := methodPlan(t); ok {
		*made = m
		return
	}
	switch t.Kind() {
	case reflect.Bool:
		*made = boolPlan()
	case reflect.String:
		*made = stringPlan()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		*made = intPlan(t.Bits())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		*made = uintPlan(t.Bits())
	case reflect.Float32, reflect.Float64:
		*made = floatPlan(t.Bits())
	case reflect.Complex64, reflect.Complex128:
		*made = complexPlan(t.Bits() / 2)
	case reflect.Slice:
		if isByte(t.Elem()) {
			*made = bytesPlan()
			return
		}
		p.fillSlice(made, t, where)
	case reflect.Array:
		if isByte(t.Elem()) {
			*made = byteArrayPlan()
			return
		}
		p.fillArray(made, t, where)
	case reflect.Map:
		p.fillMap(made, t, where)
	case reflect.Struct:
		p.fillStruct(made, t, where)
	default: // Chan, Func, UnsafePointer
		p.unsupported(made, t, where)
	}
}

// unsupported notes that t has no JSON form. New returns no Codec then, so the plan is never used.
func (p *planner) unsupported(made *plan, t reflect.Type, where string) {
	*made = plan{}
	if named := t.String(); where == named {
		p.problem(fmt.Sprintf("type %s cannot be stored", named))
		return
	}
	p.problem(fmt.Sprintf("%s of type %v cannot be stored: tag the field `json:\"-\"`", where, t))
}

// isByte reports whether slices of t are written in base64.
func isByte(t reflect.Type) bool {
	if t.Kind() != reflect.Uint8 {
		return false
	}
	_, ok := methodPlan(t)
	return !ok
}

func boolPlan() plan {
	return plan{
		encode: func(e *encoder, v reflect.Value, _ int) { e.buf = strconv.AppendBool(e.buf, v.Bool()) },
		decode: func(d *decoder, v reflect.Value, _ int) error {
			b, err := d.bool()
			v.SetBool(b)
			return err
		},
	}
}

func stringPlan() plan {
	return plan{
		encode: func(e *encoder, v reflect.Value, _ int) { e.string(v.String()) },
		decode: func(d *decoder, v reflect.Value, _ int) error {
			s, err := d.text()
			v.SetString(s)
			return err
		},
	}
}

func intPlan(bits int) plan {
	return plan{
		encode: func(e *encoder, v reflect.Value, _ int) { e.buf = strconv.AppendInt(e.buf, v.Int(), 10) },
		decode: func(d *decoder, v reflect.Value, _ int) error {
			n, err := d.int(bits)
			v.SetInt(n)
			return err
		},
	}
}

func uintPlan(bits int) plan {
	return plan{
		encode: func(e *encoder, v reflect.Value, _ int) { e.buf = strconv.AppendUint(e.buf, v.Uint(), 10) },
		decode: func(d *decoder, v reflect.Value, _ int) error {
			n, err := d.uint(bits)
			v.SetUint(n)
			return err
		},
	}
}

func floatPlan(bits int) plan {
	return plan{
		encode: func(e *encoder, v reflect.Value, _ int) { e.buf = appendFloat(e.buf, v.Float(), bits) },
		decode: func(d *decoder, v reflect.Value, _ int) error {
			f, err := d.float(bits)
			v.SetFloat(f)
			return err
		},
	}
}

func complexPlan(bits int) plan {
	return plan{
		encode: func(e *encoder, v reflect.Value, _ int) {
			c := v.Complex()
			e.buf = appendFloat(append(e.buf, '['), real(c), bits)
			e.buf = appendFloat(append(e.buf, ','), imag(c), bits)
			e.buf = append(e.buf, ']')
		},
		decode: func(d *decoder, v reflect.Value, _ int) error {
			c, err := d.complex(bits)
			v.SetComplex(c)
			return err
		},
	}
}

func timePlan() plan {
	return plan{
		encode: func(e *encoder, v reflect.Value, _ int) { e.time(v.Interface().(time.Time)) },
		decode: func(d *decoder, v reflect.Value, _ int) error {
			t, err := d.time()
			v.Set(reflect.ValueOf(t))
			return err
		},
	}
}

func durationPlan() plan {
	return plan{
		encode: func(e *encoder, v reflect.Value, _ int) {
			e.string(time.Duration(v.Int()).String())
		},
		decode: func(d *decoder, v reflect.Value, _ int) error {
			t, err := d.duration()
			v.SetInt(int64(t))
			return err
		},
	}
}

func bytesPlan() plan {
	return plan{
		nullable: true, readsNull: true,
		encode: func(e *encoder, v reflect.Value, _ int) { e.bytes(v.Bytes()) },
		decode: func(d *decoder, v reflect.Value, _ int) error {
			b, err := d.bytes()
			v.SetBytes(b)
			return err
		},
	}
}

func byteArrayPlan() plan {
	return plan{
		encode: func(e *encoder, v reflect.Value, _ int) {
			b := make([]byte, v.Len())
			for i := range b {
				b[i] = byte(v.Index(i).Uint())
			}
			e.buf = append(e.buf, '"')
			e.buf = base64.StdEncoding.AppendEncode(e.buf, b)
			e.buf = append(e.buf, '"')
		},
		decode: func(d *decoder, v reflect.Value, _ int) error {
			b, err := d.binary()
			if err != nil {
				return err
			}
			if len(b) != v.Len() {
				return d.fail(d.pos, "an array has another length")
			}
			for i, c := range b {
				v.Index(i).SetUint(uint64(c))
			}
			return nil
		},
	}
}

func objectPlan() plan {
	return plan{
		nullable: true, readsNull: true,
		encode: func(e *encoder, v reflect.Value, depth int) {
			e.object(v.Interface().(map[string]any), depth)
		},
		decode: func(d *decoder, v reflect.Value, depth int) error {
			m, err := d.nullableObject(depth)
			v.Set(reflect.ValueOf(m))
			return err
		},
	}
}

// nullableObject reads an object whose type is known to be map[string]any, or null.
func (d *decoder) nullableObject(depth int) (map[string]any, error) {
	switch d.next() {
	case 'n':
		return nil, d.literal("null")
	case '{':
		return d.object(depth)
	}
	return nil, d.want("an object")
}

func arrayPlan() plan {
	return plan{
		nullable: true, readsNull: true,
		encode: func(e *encoder, v reflect.Value, depth int) { e.array(v.Interface().([]any), depth) },
		decode: func(d *decoder, v reflect.Value, depth int) error {
			a, err := d.nullableArray(depth)
			v.Set(reflect.ValueOf(a))
			return err
		},
	}
}

// nullableArray reads an array whose type is known to be []any, or null.
func (d *decoder) nullableArray(depth int) ([]any, error) {
	switch d.next() {
	case 'n':
		return nil, d.literal("null")
	case '[':
		return d.array(depth)
	}
	return nil, d.want("an array")
}

func interfacePlan(t reflect.Type) plan {
	return plan{
		nullable: true, readsNull: true,
		encode: func(e *encoder, v reflect.Value, depth int) { e.any(v.Interface(), depth) },
		decode: func(d *decoder, v reflect.Value, depth int) error {
			d.next()
			start := d.pos
			x, err := d.any(depth)
			if err != nil || x == nil {
				return err
			}
			xv := reflect.ValueOf(x)
			if !xv.Type().AssignableTo(t) {
				return d.fail(start, fmt.Sprintf("want a value that implements %v", t))
			}
			v.Set(xv)
			return nil
		},
	}
}

// ptrPrefix begins the JSON of a pointer to a value that is null, or begins like that itself.
const ptrPrefix = `{"$ptr":`

func (p *planner) fillPointer(made *plan, t reflect.Type, where string) {
	made.nullable, made.readsNull = true, true
	elem := p.plan(t.Elem(), where)
	// A pointer to what does not count its depth itself would else be a way around the limit.
	deeper := 0
	if k := t.Elem().Kind(); k == reflect.Pointer || k == reflect.Interface {
		deeper = 1
	}
	made.encode = func(e *encoder, v reflect.Value, depth int) {
		if v.IsNil() {
			e.null()
			return
		}
		if deeper > 0 && !e.enter(depth) {
			return
		}
		start := len(e.buf)
		elem.encode(e, v.Elem(), depth+deeper)
		if !elem.nullable {
			return
		}
		if text := e.buf[start:]; string(text) == "null" || strings.HasPrefix(string(text[:min(len(text), len(ptrPrefix))]), ptrPrefix) {
			e.buf = append(slices.Insert(e.buf, start, []byte(ptrPrefix)...), '}')
		}
	}
	made.decode = func(d *decoder, v reflect.Value, depth int) error {
		if d.next() == 'n' {
			return d.literal("null")
		}
		if deeper > 0 && depth >= maxDepth {
			return d.tooDeep()
		}
		x := reflect.New(t.Elem())
		wrapped := elem.nullable && d.acceptPtr()
		if err := elem.decode(d, x.Elem(), depth+deeper); err != nil {
			return err
		}
		v.Set(x)
		if wrapped {
			return d.expect('}')
		}
		return nil
	}
}

// acceptPtr reads the beginning of a $ptr object, if there is one.
func (d *decoder) acceptPtr() bool {
	start := d.pos
	if d.next() == '{' {
		d.pos++
		if d.next() == '"' && d.literal(`"$ptr"`) == nil && d.expect(':') == nil {
			return true
		}
	}
	d.pos = start
	return false
}

func (p *planner) fillSlice(made *plan, t reflect.Type, where string) {
	made.nullable, made.readsNull = true, true
	if t == stringsType {
		made.encode = func(e *encoder, v reflect.Value, _ int) { e.strings(v.Interface().([]string)) }
		made.decode = func(d *decoder, v reflect.Value, _ int) error {
			a, err := d.texts()
			v.Set(reflect.ValueOf(a))
			return err
		}
		return
	}
	elem := p.plan(t.Elem(), where)
	made.encode = func(e *encoder, v reflect.Value, depth int) {
		if v.IsNil() {
			e.null()
			return
		}
		e.elements(elem, v, depth)
	}
	made.decode = func(d *decoder, v reflect.Value, depth int) error {
		switch d.next() {
		case 'n':
			return d.literal("null")
		case '[':
		default:
			return d.want("an array")
		}
		if depth >= maxDepth {
			return d.tooDeep()
		}
		d.pos++
		v.Set(reflect.MakeSlice(t, 0, 0))
		for more := d.next() != ']'; more; {
			n := v.Len()
			v.Grow(1)
			v.SetLen(n + 1)
			err := elem.decode(d, v.Index(n), depth+1)
			if err != nil {
				return err
			}
			if more, err = d.comma(']'); err != nil {
				return err
			}
		}
		d.pos++
		return nil
	}
}

func (p *planner) fillArray(made *plan, t reflect.Type, where string) {
	elem := p.plan(t.Elem(), where)
	made.encode = func(e *encoder, v reflect.Value, depth int) { e.elements(elem, v, depth) }
	made.decode = func(d *decoder, v reflect.Value, depth int) error {
		if d.next() != '[' {
			return d.want("an array")
		}
		if depth >= maxDepth {
			return d.tooDeep()
		}
		d.pos++
		for i := range v.Len() {
			if i > 0 {
				if err := d.expect(','); err != nil {
					return err
				}
			}
			if err := elem.decode(d, v.Index(i), depth+1); err != nil {
				return err
			}
		}
		return d.expect(']')
	}
}

// elements appends a slice or an array, each element by the plan.
func (e *encoder) elements(elem *plan, v reflect.Value, depth int) {
	if !e.enter(depth) {
		return
	}
	e.buf = append(e.buf, '[')
	for i := range v.Len() {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		elem.encode(e, v.Index(i), depth+1)
		if e.tooDeep {
			break
		}
	}
	e.buf = append(e.buf, ']')
}
