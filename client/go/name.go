package sessiond

import "fmt"

// longestName is the most characters that a session's name has.
const longestName = 128

// checkName returns an *InvalidNameError unless the text is a session's name: 1 to 128 of A-Z a-z 0-9 . _ -, not beginning
// with "." or "-".
func checkName(name string) error {
	switch {
	case name == "":
		return &InvalidNameError{"a session name is empty"}
	case len(name) > longestName:
		return &InvalidNameError{fmt.Sprintf(
			"a session name is at most %d characters long, this one has %d bytes", longestName, len(name))}
	case name[0] == '.' || name[0] == '-':
		return &InvalidNameError{fmt.Sprintf("a session name does not begin with %q", name[0])}
	}
	for _, character := range name {
		if !isOfName(character) {
			return &InvalidNameError{fmt.Sprintf("a session name has only A-Z a-z 0-9 . _ -, not %q", character)}
		}
	}
	return nil
}

func isOfName(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}
