package measure

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A Table prints as aligned Markdown. The first column is text, the others
// numbers.
type Table struct {
	head []string
	rows [][]string
}

// NewTable returns a table with the given column heads.
func NewTable(head ...string) *Table { return &Table{head: head} }

// Row adds a row. Missing cells are empty.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(t.head))
	copy(row, cells)
	t.rows = append(t.rows, row)
}

// WriteTo implements io.WriterTo.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	line := func(row []string) {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + pad)
			} else {
				b.WriteString(" | " + pad + cell)
			}
		}
		b.WriteString(" |\n")
	}
	line(t.head)
	for i := range t.head {
		if i == 0 {
			b.WriteString("|-" + strings.Repeat("-", width[i]) + "-|")
		} else {
			b.WriteString("-" + strings.Repeat("-", width[i]) + ":|")
		}
	}
	b.WriteString("\n")
	for _, row := range t.rows {
		line(row)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// Ratio formats a against base as "0.12"; "-" if base is zero.
func Ratio(a, base float64) string {
	if base == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", a/base)
}
