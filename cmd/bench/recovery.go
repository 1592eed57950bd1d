package bench

import (
	"context"
	"errors"
)

func runRecovery(context.Context, Options) (Result, error) { return Result{}, errors.New("later") }
