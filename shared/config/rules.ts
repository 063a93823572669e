import * as z from "zod/mini";
import { variable, type About } from "./config.ts";

export const text = z.string().check(z.minLength(1));
export const path = z.string().check(z.startsWith("/"));
export const httpUrl = z.url({ protocol: /^https?$/ });

type Bounds = { readonly from: number; readonly to: number };
type Unset = Bounds & { readonly unset: number };

/**
 * A variable that holds a whole number in words of digits only: `1e3`, `0x10` and ` 7` are typing mistakes more often
 * than wishes. Without `unset` it may be left out.
 */
export function wholeNumber(bounds: Unset, description: string): ReturnType<typeof withDefault>;
export function wholeNumber(bounds: Bounds, description: string): ReturnType<typeof optional>;
export function wholeNumber({ from, to, unset }: Bounds & Partial<Unset>, description: string) {
  const about = { description, allowed: `a whole number from ${from} to ${to}` };
  return unset === undefined
    ? optional(integer(from, to), about)
    : withDefault(integer(from, to), { ...about, unset });
}

type Integer = ReturnType<typeof integer>;

function optional(rule: Integer, about: About) {
  return variable(z.optional(rule), about);
}

function withDefault(rule: Integer, { unset, ...about }: About & Pick<Unset, "unset">) {
  return variable(z.prefault(rule, `${unset}`), about);
}

function integer(from: number, to: number) {
  return z.pipe(
    z.string().check(
      z.regex(/^\d{1,15}$/),
      z.refine((digits) => Number(digits) >= from && Number(digits) <= to),
    ),
    z.transform(Number),
  );
}
