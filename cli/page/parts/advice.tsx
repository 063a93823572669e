/** A hint: what stands in backquotes is for a terminal. */
export function Advice({ text }: { readonly text: string | undefined }) {
  if (text === undefined) return null;
  return (
    <p class="hint">
      {text.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}
    </p>
  );
}
