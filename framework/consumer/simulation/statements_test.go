package simulation_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sluice-go/sluice/framework/idempotency"
)

// statement is one of the PartiQL statements that dynamostore sends, parsed.
// What is not understood is refused by name.
type statement struct {
	verb   string // INSERT, UPDATE or DELETE
	table  string
	values []string // INSERT: the attributes, in the order of the parameters
	sets   []string // UPDATE: the same
	remove []string
	where  []predicate
}

// set returns the parameter that an INSERT or UPDATE gives an attribute.
func (s *statement) set(name string, params []types.AttributeValue) types.AttributeValue {
	names := s.sets
	if s.verb == "INSERT" {
		names = s.values
	}
	if i := slices.Index(names, name); i >= 0 {
		return params[i]
	}
	return nil
}

// params is how many parameters the statement takes.
func (s *statement) params() int {
	n := len(s.values) + len(s.sets)
	for _, p := range s.where {
		if !p.missing {
			n++
		}
	}
	return n
}

// id returns the key that the statement concerns.
func (s *statement) id(params []types.AttributeValue) string {
	v := s.set("id", params)
	next := len(s.sets)
	for _, p := range s.where {
		if p.name == "id" && !p.missing {
			v = params[next]
		}
		if !p.missing {
			next++
		}
	}
	if id, ok := v.(*types.AttributeValueMemberS); ok {
		return id.Value
	}
	return ""
}

// kind tells claims, takeovers and settlements apart.
func (s *statement) kind(params []types.AttributeValue) operation {
	switch {
	case s.verb == "INSERT":
		return opClaim
	case s.set("owner", params) != nil:
		return opTake
	default:
		return opSettle
	}
}

// completes reports whether a settlement completes; else it releases.
func (s *statement) completes(params []types.AttributeValue) bool {
	v, ok := s.set("status", params).(*types.AttributeValueMemberS)
	return ok && v.Value == string(idempotency.StatusCompleted)
}

// holds reports whether the item meets the statement's conditions.
func (s *statement) holds(it map[string]types.AttributeValue, params []types.AttributeValue) bool {
	next := len(s.sets)
	for _, p := range s.where {
		v, has := it[p.name]
		if p.missing {
			if has {
				return false
			}
			continue
		}
		if !has || !equal(v, params[next]) {
			return false
		}
		next++
	}
	return true
}

// predicate is name = ?, or name IS MISSING.
type predicate struct {
	name    string
	missing bool
}

func parseStatement(text string) (s *statement, err error) {
	p := parser{rest: text}
	defer func() {
		if p.err != nil {
			s, err = nil, fmt.Errorf("simulation: statement not supported at %q: %w: %s", p.rest, p.err, text)
		}
	}()
	s = &statement{verb: p.word()}
	switch s.verb {
	case "INSERT":
		p.want("INTO")
		s.table = p.quoted('"')
		p.want("VALUE")
		p.want("{")
		for {
			s.values = append(s.values, p.quoted('\''))
			p.want(":")
			p.want("?")
			if !p.take(",") {
				break
			}
		}
		p.want("}")
	case "UPDATE":
		s.table = p.quoted('"')
		for p.err == nil && !p.take("WHERE") {
			switch {
			case p.take("SET"), p.take(","):
				s.sets = append(s.sets, p.quoted('"'))
				p.want("=")
				p.want("?")
			default:
				p.want("REMOVE")
				s.remove = append(s.remove, p.quoted('"'))
			}
		}
		s.where = p.predicates()
	case "DELETE":
		p.want("FROM")
		s.table = p.quoted('"')
		p.want("WHERE")
		s.where = p.predicates()
	default:
		p.fail("verb " + s.verb)
	}
	if p.skip(); p.rest != "" {
		p.fail("something follows")
	}
	return s, nil
}

type parser struct {
	rest string
	err  error
}

func (p *parser) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("want or met %s", what)
	}
}

func (p *parser) skip() { p.rest = strings.TrimLeft(p.rest, " \n\t") }

func (p *parser) take(token string) bool {
	p.skip()
	if !strings.HasPrefix(p.rest, token) {
		return false
	}
	p.rest = p.rest[len(token):]
	return true
}

func (p *parser) want(token string) {
	if !p.take(token) {
		p.fail(token)
	}
}

func (p *parser) word() string {
	p.skip()
	word, rest, _ := strings.Cut(p.rest, " ")
	p.rest = rest
	return word
}

func (p *parser) quoted(quote byte) string {
	p.skip()
	if p.rest == "" || p.rest[0] != quote {
		p.fail("a name in " + string(quote))
		return ""
	}
	name, rest, found := strings.Cut(p.rest[1:], string(quote))
	if !found {
		p.fail("the end of a name")
	}
	p.rest = rest
	return name
}

func (p *parser) predicates() (where []predicate) {
	for {
		x := predicate{name: p.quoted('"')}
		if p.take("IS") {
			p.want("MISSING")
			x.missing = true
		} else {
			p.want("=")
			p.want("?")
		}
		where = append(where, x)
		if !p.take("AND") {
			return where
		}
	}
}

// expression is the part of DynamoDB's update and condition expressions that
// dynamostore's transactions use.
type expression struct {
	sets   [][2]string // name, value placeholder
	remove []string
	where  []comparison
}

type comparison struct {
	name, op, value string // op is =, <>, exists or missing
}

// parseUpdate parses "SET #a = :a, #b = :b REMOVE #c, #d".
func parseUpdate(text string) (x expression, err error) {
	sets, removes, _ := strings.Cut(text, " REMOVE ")
	sets, found := strings.CutPrefix(sets, "SET ")
	if !found {
		return x, fmt.Errorf("simulation: update expression not supported: %s", text)
	}
	for part := range strings.SplitSeq(sets, ",") {
		name, value, found := strings.Cut(part, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !found || !strings.HasPrefix(value, ":") || strings.ContainsAny(name+value, " ()+-") {
			return x, fmt.Errorf("simulation: update expression not supported at %q: %s", part, text)
		}
		x.sets = append(x.sets, [2]string{name, value})
	}
	if removes != "" {
		for name := range strings.SplitSeq(removes, ",") {
			name = strings.TrimSpace(name)
			if strings.ContainsAny(name, " ()+-=") {
				return x, fmt.Errorf("simulation: update expression not supported at %q: %s", name, text)
			}
			x.remove = append(x.remove, name)
		}
	}
	return x, nil
}

// parseCondition parses comparisons joined by AND.
func parseCondition(text string) (where []comparison, err error) {
	for part := range strings.SplitSeq(text, " AND ") {
		part = strings.TrimSpace(part)
		var c comparison
		if name, found := strings.CutPrefix(part, "attribute_not_exists("); found {
			c = comparison{name: strings.TrimSuffix(name, ")"), op: "missing"}
		} else if name, found := strings.CutPrefix(part, "attribute_exists("); found {
			c = comparison{name: strings.TrimSuffix(name, ")"), op: "exists"}
		} else if name, value, found := strings.Cut(part, " <> "); found {
			c = comparison{name: name, op: "<>", value: value}
		} else if name, value, found := strings.Cut(part, " = "); found {
			c = comparison{name: name, op: "=", value: value}
		}
		if c.op == "" || strings.ContainsAny(c.name+c.value, " ()") {
			return nil, fmt.Errorf("simulation: condition not supported at %q: %s", part, text)
		}
		where = append(where, c)
	}
	return where, nil
}
