package signup_test

import (
	"testing"

	"github.com/atonehq/atone/cmd/signup/signup"
	"github.com/atonehq/atone/saga/sagatest"
)

func TestASignUpIsAllOrNothing(t *testing.T) {
	t.Parallel()
	sagatest.Play(t, signup.Exploration())
}
