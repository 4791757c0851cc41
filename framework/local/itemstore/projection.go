package itemstore

// parseProjection parses a ProjectionExpression.
func parseProjection(src string, ctx *exprContext) ([]path, *exprError) {
	p, err := newParser(src, ctx)
	if err != nil {
		return nil, err
	}
	var paths []path
	for {
		doc, err := p.parsePath()
		if err != nil {
			return nil, err
		}
		paths = append(paths, doc)
		if p.acceptSymbol(",") {
			continue
		}
		if p.peek().kind != tokEOF {
			return nil, p.syntaxError()
		}
		break
	}
	if text := p.complaint(); text != "" {
		return nil, &exprError{text: text}
	}
	return paths, checkOverlap(paths)
}

// project copies the given paths of an item. Parts that do not exist are left
// out, with every map and list that would be empty for it; the chosen elements
// of a list close up in their order.
func project(m item, paths []path) item {
	root := &selection{}
	for _, p := range paths {
		root.add(p)
	}
	v, ok := root.of(Value{Type: TypeM, Map: m})
	if !ok {
		return item{}
	}
	return v.Map
}

// selection is a tree of the paths to keep; one without children keeps all.
type selection struct {
	names   map[string]*selection
	indexes map[int]*selection
}

func (s *selection) add(p path) {
	for _, st := range p {
		child := &selection{}
		if st.isIndex {
			if s.indexes == nil {
				s.indexes = map[int]*selection{}
			}
			if have, ok := s.indexes[st.index]; ok {
				child = have
			}
			s.indexes[st.index] = child
		} else {
			if s.names == nil {
				s.names = map[string]*selection{}
			}
			if have, ok := s.names[st.name]; ok {
				child = have
			}
			s.names[st.name] = child
		}
		s = child
	}
}

func (s *selection) of(v Value) (Value, bool) {
	switch {
	case s.names == nil && s.indexes == nil:
		return v.clone(), true
	case s.names != nil && v.Type == TypeM:
		kept := item{}
		for name, child := range s.names {
			if e, ok := v.Map[name]; ok {
				if e, ok = child.of(e); ok {
					kept[name] = e
				}
			}
		}
		return Value{Type: TypeM, Map: kept}, len(kept) > 0
	case s.indexes != nil && v.Type == TypeL:
		var kept []Value
		for i, e := range v.List {
			if child, ok := s.indexes[i]; ok {
				if e, ok = child.of(e); ok {
					kept = append(kept, e)
				}
			}
		}
		return Value{Type: TypeL, List: kept}, len(kept) > 0
	}
	return Value{}, false
}
