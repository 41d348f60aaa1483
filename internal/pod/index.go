package pod

import (
	"fmt"
	"strconv"
)

// The environment of a pod of an Indexed Job. Kubernetes sets the index, from
// 0; it does not tell how many there are, so that the manifest must.
const (
	IndexVariable       = "JOB_COMPLETION_INDEX"
	CompletionsVariable = "JOB_COMPLETIONS"
)

// Index returns the pod's number in its Indexed Job, from 1, and how many there
// are.
func Index(env func(string) string) (number, of int, err error) {
	index, err := strconv.Atoi(env(IndexVariable))
	if err != nil || index < 0 {
		return 0, 0, fmt.Errorf("%s is %q: it is a number from 0 in the pods of a Job with completionMode: Indexed", IndexVariable, env(IndexVariable))
	}
	of, err = strconv.Atoi(env(CompletionsVariable))
	if err != nil || of < 1 {
		return 0, 0, fmt.Errorf("%s is %q: set it to the Job's spec.completions", CompletionsVariable, env(CompletionsVariable))
	}
	if index >= of {
		return 0, 0, fmt.Errorf("%s is %d and %s is %d: set the latter to the Job's spec.completions, or chunks are converted by nobody", IndexVariable, index, CompletionsVariable, of)
	}
	return index + 1, of, nil
}
