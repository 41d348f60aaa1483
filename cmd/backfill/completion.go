package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"backfill/internal/fail"
)

// runCompletion prints a script that completes commands and flags in a shell.
func runCompletion(_ context.Context, p *program) error {
	write, ok := map[string]func(io.Writer, []completion){"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[p.flags.run]
	if !ok {
		return fail.New(fail.Usage, "%q is no shell that is known here", p.flags.run).Try("give bash, zsh or fish")
	}
	write(p.stdout, completions())
	return nil
}

// completion is one command with what may follow it, as a shell offers it.
type completion struct {
	name, does string
	words      []string // second words, such as ls of quarantine
	flags      []*pflag.Flag
}

// completions lists the commands; those of two words share the first.
func completions() []completion {
	var list []completion
	for _, c := range commands() {
		first, second, two := strings.Cut(c.name, " ")
		if len(list) == 0 || list[len(list)-1].name != first {
			list = append(list, completion{name: first, does: c.does})
		}
		item := &list[len(list)-1]
		if two {
			item.words = append(item.words, second)
		}
		(&program{}).flagSet(c).VisitAll(func(f *pflag.Flag) {
			if !slices.ContainsFunc(item.flags, func(other *pflag.Flag) bool { return other.Name == f.Name }) {
				item.flags = append(item.flags, f)
			}
		})
	}
	return list
}

func names(list []completion) string {
	var words []string
	for _, c := range list {
		words = append(words, c.name)
	}
	return strings.Join(words, " ")
}

// short is a flag's usage up to its first punctuation, safe in single quotes.
func short(usage string) string {
	if i := strings.IndexAny(usage, ":;,("); i > 0 {
		usage = usage[:i]
	}
	return strings.NewReplacer("'", "’", "[", "", "]", "").Replace(strings.TrimSpace(usage))
}

func bashCompletion(w io.Writer, list []completion) {
	fmt.Fprintf(w, "# backfill completion bash >/etc/bash_completion.d/backfill\n_backfill() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n")
	fmt.Fprintf(w, "  if [ \"$COMP_CWORD\" -eq 1 ]; then words=\"%s\"; else\n    case \"${COMP_WORDS[1]}\" in\n", names(list))
	for _, c := range list {
		words := slices.Clone(c.words)
		for _, f := range c.flags {
			words = append(words, "--"+f.Name)
		}
		fmt.Fprintf(w, "      %s) words=\"%s\" ;;\n", c.name, strings.Join(words, " "))
	}
	fmt.Fprintf(w, "    esac\n  fi\n  case \"$word\" in -*|\"\") ;; *) [ \"$COMP_CWORD\" -gt 2 ] && words=\"\" ;; esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\ncomplete -o default -F _backfill backfill\n")
}

func zshCompletion(w io.Writer, list []completion) {
	fmt.Fprint(w, "#compdef backfill\n# backfill completion zsh >\"${fpath[1]}/_backfill\"\n_backfill() {\n  if (( CURRENT == 2 )); then\n    local -a commands=(\n")
	for _, c := range list {
		fmt.Fprintf(w, "      '%s:%s'\n", c.name, short(c.does))
	}
	fmt.Fprint(w, "    )\n    _describe command commands\n    return\n  fi\n  local command=${words[2]}\n  shift words; (( CURRENT-- ))\n  case $command in\n")
	for _, c := range list {
		fmt.Fprintf(w, "    %s) _arguments", c.name)
		for _, f := range c.flags {
			if f.NoOptDefVal != "" {
				fmt.Fprintf(w, " \\\n      '--%s[%s]'", f.Name, short(f.Usage))
			} else {
				fmt.Fprintf(w, " \\\n      '*--%s=[%s]:%s:_files'", f.Name, short(f.Usage), f.Name)
			}
		}
		fmt.Fprintf(w, " '*: :(%s)' '*:file:_files' ;;\n", strings.Join(c.words, " "))
	}
	fmt.Fprint(w, "  esac\n}\n_backfill \"$@\"\n")
}

func fishCompletion(w io.Writer, list []completion) {
	fmt.Fprint(w, "# backfill completion fish >~/.config/fish/completions/backfill.fish\n")
	for _, c := range list {
		fmt.Fprintf(w, "complete -c backfill -f -n __fish_use_subcommand -a %s -d '%s'\n", c.name, short(c.does))
		for _, word := range c.words {
			fmt.Fprintf(w, "complete -c backfill -f -n '__fish_seen_subcommand_from %s' -a %s\n", c.name, word)
		}
		for _, f := range c.flags {
			value := " -r"
			if f.NoOptDefVal != "" {
				value = ""
			}
			fmt.Fprintf(w, "complete -c backfill -n '__fish_seen_subcommand_from %s' -l %s%s -d '%s'\n", c.name, f.Name, value, short(f.Usage))
		}
	}
}
