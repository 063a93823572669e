import * as z from "zod";

/** Those of CREATE ROLE that are not its defaults. What else a manifest may say is no SQL. */
export const ATTRIBUTES = [
  "SUPERUSER",
  "CREATEDB",
  "CREATEROLE",
  "NOINHERIT",
  "LOGIN",
  "REPLICATION",
  "BYPASSRLS",
] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

const membership = z.looseObject({
  role: z.string(),
  admin: z.boolean(),
  /** Each membership has its own from 16 on. */
  inherit: z.boolean().optional(),
  set: z.boolean().optional(),
});

/** A role as `pg_roles` shows it to everyone: no password and nothing made of one. */
export const serverRoleSchema = z.looseObject({
  name: z.string(),
  attributes: z.array(z.string()),
  connectionLimit: z.int(),
  /** Of its password. */
  validUntil: z.string().optional(),
  memberOf: z.array(membership),
  /** ALTER ROLE ... SET; those IN DATABASE are the database's. */
  settings: z.array(z.looseObject({ name: z.string(), value: z.string() })),
});

export type ServerRole = z.infer<typeof serverRoleSchema>;

/** One of which nothing is known but that it was there. */
export function plainRole(name: string): ServerRole {
  return { name, attributes: [], connectionLimit: -1, memberOf: [], settings: [] };
}

/** Those that each server has by itself; no other may be called so. */
export function isPredefined(name: string): boolean {
  return name.startsWith("pg_");
}
