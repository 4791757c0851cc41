package stack

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// nameProperty is the property that gives a type its physical name, and the
// longest name that AWS takes. Types without one are not named here.
func nameProperty(typ string) (property string, longest int) {
	switch typ {
	case typeQueue:
		return "QueueName", 80
	case typeTopic:
		return "TopicName", 256
	case typeFunction:
		return "FunctionName", 64
	case typeTable, typeGlobalTable:
		return "TableName", 255
	case typeBus:
		return "Name", 256
	case typeRule:
		return "Name", 64
	case typeLogGroup:
		return "LogGroupName", 512
	case typeRole:
		return "RoleName", 64
	case typeBucket:
		return "BucketName", 63
	}
	return "", 0
}

// cdkHash matches a logical id that CDK made: readable text and a hash of the
// construct's path.
var cdkHash = regexp.MustCompile(`^(.+)[0-9A-F]{8}$`)

// shortIDs maps logical ids to what they are called in generated names: without
// CDK's hash where that is the only resource of its type so called.
func (r *reader) shortIDs() map[string]string {
	type key struct{ typ, short string }
	users := make(map[key]int)
	short := make(map[string]string)
	for _, id := range r.ids {
		short[id] = id
		if m := cdkHash.FindStringSubmatch(id); m != nil {
			short[id] = m[1]
		}
		users[key{r.res[id].typ, short[id]}]++
	}
	for _, id := range r.ids {
		if users[key{r.res[id].typ, short[id]}] > 1 {
			short[id] = id
		}
	}
	return short
}

// nameResources gives generated names. Explicit ones are resolved when they are
// first needed, because they may refer to other resources.
func (r *reader) nameResources() {
	short := r.shortIDs()
	for _, id := range r.ids {
		res := r.res[id]
		property, longest := nameProperty(res.typ)
		if property == "" {
			continue
		}
		if v, ok := res.props[property]; ok && !r.isNoValue(v) {
			res.explicit = true
			continue
		}
		suffix := ""
		if (res.typ == typeQueue && r.flag(res, "FifoQueue")) || (res.typ == typeTopic && r.flag(res, "FifoTopic")) {
			suffix = ".fifo"
		}
		name := r.opts.StackName + "-" + short[id]
		switch res.typ {
		case typeLogGroup:
			name = "/" + name
		case typeBucket:
			name = strings.ToLower(name)
		}
		if room := longest - len(suffix); len(name) > room {
			hash := fmt.Sprintf("-%x", sha256.Sum256([]byte(id)))[:9]
			name = name[:room-len(hash)] + hash
		}
		res.name = name + suffix
	}
}

// isNoValue says whether a raw value is nothing after its conditions.
func (r *reader) isNoValue(v any) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return false
	}
	fn, arg, ok := intrinsic(m)
	switch {
	case ok && fn == "Ref":
		return arg == "AWS::NoValue"
	case ok && fn == "Fn::If":
		before := len(r.errs)
		chosen, _, ok := r.branch(arg, "Fn::If")
		r.errs = r.errs[:before] // reported with its path where the value is read
		return ok && r.isNoValue(chosen)
	}
	return false
}

// flag is a boolean property, before its resource is read.
func (r *reader) flag(res *resource, property string) bool {
	v, ok := res.props[property]
	if !ok {
		return false
	}
	s, _ := text(r.resolve(v, "Resources."+res.id+".Properties."+property))
	return s == "true"
}

// name is a resource's physical name.
func (r *reader) name(res *resource) string {
	if res.explicit && res.name == "" {
		property, _ := nameProperty(res.typ)
		name, ok := r.scalar(res.props[property], "Resources."+res.id+".Properties."+property)
		if !ok {
			name = "unresolved:" + res.id // reported; the topology is not returned
		}
		res.name = name
	}
	return res.name
}

// checkNames reports two resources with one name.
func (r *reader) checkNames() {
	users := make(map[string][]string)
	for _, id := range r.ids {
		res := r.res[id]
		typ := res.typ
		if typ == typeGlobalTable {
			typ = typeTable
		}
		switch typ {
		case typeQueue, typeTopic, typeFunction, typeTable, typeBus, typeRule:
		default: // not created, so its name may even be unresolvable
			continue
		}
		key := typ + " " + r.name(res)
		if typ == typeRule { // a rule's name is its bus's
			key = fmt.Sprint(typ, " ", r.ruleBus(res), "/", r.name(res))
		}
		users[key] = append(users[key], id)
	}
	for _, key := range slices.Sorted(maps.Keys(users)) {
		if ids := users[key]; len(ids) > 1 {
			r.fail("Resources", "%s are all %q: give each its own name", strings.Join(ids, ", "), key)
		}
	}
}
