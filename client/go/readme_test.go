package sessiond_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

func TestTheReadmeShowsTheExamplesThatAreRun(t *testing.T) {
	source := string(ok(os.ReadFile("example_test.go"))(t))
	files := token.NewFileSet()
	file := ok(parser.ParseFile(files, "example_test.go", source, parser.SkipObjectResolution))(t)
	readme := string(ok(os.ReadFile("README.md"))(t))
	for _, declaration := range file.Decls {
		function, is := declaration.(*ast.FuncDecl)
		if !is {
			continue
		}
		code := source[files.Position(function.Body.Lbrace).Offset+1 : files.Position(function.Body.Rbrace).Offset]
		if strings.HasPrefix(function.Name.Name, "Example") {
			code, _, _ = strings.Cut(code, "\t// Output:")
			code = strings.ReplaceAll(code, "\n\t", "\n")
		} else {
			code = source[files.Position(function.Pos()).Offset:files.Position(function.End()).Offset]
		}
		if block := "```go\n" + strings.Trim(code, "\n") + "\n```\n"; !strings.Contains(readme, block) {
			t.Errorf("README.md does not have %s, or has it otherwise:\n%s", function.Name, block)
		}
	}
}
