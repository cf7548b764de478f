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

func TestTheReadmeHasTheExample(t *testing.T) {
	source := string(ok(os.ReadFile("example_test.go"))(t))
	_, example, _ := strings.Cut(source, "func ExampleRoute() {\n\t")
	block := "```go\n" + strings.ReplaceAll(strings.TrimSuffix(example, "\n}\n"), "\n\t", "\n") + "\n```\n"
	if !strings.Contains(string(ok(os.ReadFile("README.md"))(t)), block) {
		t.Errorf("README.md does not have this:\n%s", block)
	}
}
