package telemetry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxLine is what CloudWatch Logs takes as one event.
const maxLine = 256<<10 - 26

// checkLine says what is wrong with a line of JSON.
func checkLine(line string) error {
	body, ended := strings.CutSuffix(line, "\n")
	switch {
	case !ended:
		return errors.New("the line does not end")
	case strings.ContainsAny(body, "\n\r\u2028\u2029"):
		return errors.New("more than one line")
	case len(line) > maxLine:
		return fmt.Errorf("%d bytes", len(line))
	case !utf8.ValidString(line):
		return errors.New("no UTF-8")
	case !strings.HasPrefix(body, "{") || !json.Valid([]byte(body)):
		return errors.New("no JSON object")
	}
	return uniqueMembers(body)
}

// uniqueMembers says whether the outermost object has a member twice.
func uniqueMembers(body string) error {
	d := json.NewDecoder(strings.NewReader(body))
	if _, err := d.Token(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := name.(string)
		if seen[key] {
			return fmt.Errorf("member %q twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something after the object")
	}
	return nil
}
