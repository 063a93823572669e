import { ApiError } from "../api.ts";

/** Code, sentence and hint. */
export function Trouble({ error }: { readonly error: unknown }) {
  const { message, code, hint } =
    error instanceof ApiError ? error : { message: String(error), code: undefined, hint: undefined };
  return (
    <div class="trouble" role="alert">
      <p>
        {code !== undefined && <code>{code}</code>} {message}
      </p>
      {hint !== undefined && <p class="hint">{hint}</p>}
    </div>
  );
}
