package pebblelog_test

const childDirEnv = "ATONE_TEST_PEBBLELOG_CHILD"

func appendUntilKilled(string) {}
