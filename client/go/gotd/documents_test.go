package gotd_test

import (
	"os"
	"strings"
	"testing"
)

func TestTheDocumentsHaveTheProgramThatIsRun(t *testing.T) {
	source := string(ok(os.ReadFile("recipe_test.go"))(t))
	program := "```go\n" + strings.Replace(source, "package gotd_test", "package main", 1) + "```\n"
	for _, document := range []string{"../../../docs/libraries.md", "README.md"} {
		if !strings.Contains(string(ok(os.ReadFile(document))(t)), program) {
			t.Errorf("%s does not have this:\n%s", document, program)
		}
	}
}
