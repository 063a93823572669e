import type { ServerResponse } from "node:http";
import { Failure } from "../failure.ts";
import type { Problem } from "../remote/client.ts";

/** No outside asset, no inline script or style, no frame; and nothing that a browser keeps. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
} as const;

export function begin(response: ServerResponse, status: number, type: string): void {
  response.writeHead(status, { ...HEADERS, "content-type": type });
}

export function answer(response: ServerResponse, status: number, value: unknown): void {
  begin(response, status, "application/json");
  response.end(JSON.stringify(value));
}

export function answerProblem(response: ServerResponse, status: number, problem: Problem): void {
  if (response.headersSent) return void response.destroy();
  begin(response, status, "application/problem+json");
  response.end(JSON.stringify(problem));
}

/** What went wrong, in the words of a function or of this program. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Failure) return { code: error.code, detail: error.message, hint: error.hint };
  return { code: "internal", detail: error instanceof Error ? error.message : String(error) };
}
