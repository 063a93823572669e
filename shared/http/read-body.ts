import type * as z from "zod";
import { nearestNames } from "../nearest.ts";
import { DormouseError } from "../errors.ts";

type Issue = z.core.$ZodIssue;
const LONGEST_SHOWN = 40;

/**
 * A body as its schema wants it, or `request_invalid`: each field that is wrong by its name, with what it is and what it
 * must be. That stands in the field's description, from which the hint is made as well. `others` are other bodies.
 */
export function readBody<Schema extends z.ZodObject>(
  schema: Schema,
  body: unknown,
  others?: string,
): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const faults = [...new Set(parsed.error.issues.map((issue) => describeFault(schema, body, issue)))];
  const fields = Object.keys(schema.shape).map((name) => `${name} (${allowedIn(schema, name)})`);
  const hint = [`a body may have ${fields.join(", ")}`, ...(others === undefined ? [] : [others])].join("; ");
  throw new DormouseError("request_invalid", `the request has mistakes: ${faults.join("; ")}`, { hint });
}

function describeFault(schema: z.ZodObject, body: unknown, issue: Issue): string {
  const [name] = issue.path;
  if (name === undefined)
    return issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => unknownField(schema, key)).join("; ")
      : `the body is ${shown(body)}: it must be a JSON object`;
  const value = (body as Readonly<Record<PropertyKey, unknown>>)[name];
  const is = value === undefined ? "is missing" : `is ${shown(value)}`;
  return `"${String(name)}" ${is}: it must be ${allowedIn(schema, String(name))}`;
}

function unknownField(schema: z.ZodObject, key: string): string {
  const [nearest = ""] = nearestNames(key, Object.keys(schema.shape));
  return `there is no field ${JSON.stringify(key.slice(0, LONGEST_SHOWN))}: the nearest is "${nearest}"`;
}

function allowedIn({ shape }: z.ZodObject, name: string): string {
  const field: { readonly description?: string | undefined } | undefined = shape[name] as z.ZodType;
  return field?.description ?? "something else";
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length <= LONGEST_SHOWN ? text : `text of ${String(value).length} characters`;
}
