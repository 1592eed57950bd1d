// Package webui is the web page of atone: what ran, what failed, why a run is waiting, and the levers to
// put it right. It is rendered on the server with html/template; its scripts and styles are embedded, so
// that it works offline and under a Content-Security-Policy without unsafe-inline.
//
// [New] returns an http.Handler that needs a coordinator, the views and the log, all as small
// ports. Who makes a request is told by [Sessions], which the composition root implements.
//
// The page keeps no truth of its own: lists come from the views; a run is folded from its stream at every request, so
// that it is never behind.
package webui
