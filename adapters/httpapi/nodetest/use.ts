// What a program in TypeScript does with the types: it must compile.
import type { components, operations, paths } from "./api";

type Result = components["schemas"]["Result"];
type Listed = paths["/runs"]["get"]["responses"][200]["content"]["application/json"];
type Retry = operations["retry-run"]["requestBody"]["content"]["application/json"];

export const retry: Retry = { step: "charge-card", reason: "the card service is back" };
export const stuck = (page: Listed): string[] => (page.items ?? []).filter((r) => r.state === "stuck").map((r) => r.run);
export const over = (r: Result): boolean => r.state === "completed" || r.state === "compensated";

// @ts-expect-error a state that there is not
export const wrong: Result["state"] = "asleep";
