/**
 * The look of the notifications, without a CSS framework. Adopted as a constructed style sheet,
 * which a `style-src 'self'` policy allows; the same text is shipped as `styles.css` for
 * applications that would rather link it. Every colour and size is a variable.
 */

const DARK = `  --clj-surface: #1b1e25;
  --clj-raised: #272b34;
  --clj-text: #f1f3f7;
  --clj-muted: #a4acba;
  --clj-border: #333845;
  --clj-track: #333845;
  --clj-accent: #86a5ff;
  --clj-good: #4fd09a;
  --clj-bad: #ff8b85;
  --clj-shadow: 0 1px 2px rgb(0 0 0 / 40%), 0 12px 32px -6px rgb(0 0 0 / 60%);
  color-scheme: dark;`;

export const STYLES: string = `:root {
  --careerlens-jobs-styles: 1;
}

.clj-region {
  --clj-surface: #ffffff;
  --clj-raised: #f4f5f7;
  --clj-text: #16181d;
  --clj-muted: #5b6270;
  --clj-border: #dfe2e8;
  --clj-track: #e8eaef;
  --clj-accent: #2f5bea;
  --clj-good: #0f7b4f;
  --clj-bad: #c02626;
  --clj-shadow: 0 1px 2px rgb(16 20 30 / 8%), 0 10px 28px -6px rgb(16 20 30 / 18%);
  --clj-radius: 14px;
  --clj-width: 23rem;
  --clj-gap: 0.625rem;
  --clj-offset: 1.25rem;
  --clj-font: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --clj-z-index: 2147483000;
  color-scheme: light;
  position: fixed;
  z-index: var(--clj-z-index);
  display: flex;
  flex-direction: column;
  gap: var(--clj-gap);
  box-sizing: border-box;
  width: min(var(--clj-width), calc(100vw - 2 * var(--clj-offset)));
  max-height: calc(100dvh - 2 * var(--clj-offset));
  margin: 0;
  color: var(--clj-text);
  font: 400 0.875rem/1.4 var(--clj-font);
  pointer-events: none;
}

.clj-region[data-theme="dark"] {
${DARK}
}

[data-theme="dark"] .clj-region:not([data-theme]) {
${DARK}
}

@media (prefers-color-scheme: dark) {
  :root:not([data-theme="light"]) .clj-region:not([data-theme]) {
${DARK}
  }
}

.clj-region *,
.clj-region *::before {
  box-sizing: border-box;
}

.clj-region:focus {
  outline: none;
}

.clj-region[data-position^="bottom"] {
  bottom: var(--clj-offset);
}

.clj-region[data-position^="top"] {
  top: var(--clj-offset);
}

.clj-region[data-position$="right"] {
  right: var(--clj-offset);
}

.clj-region[data-position$="left"] {
  left: var(--clj-offset);
}

.clj-list {
  display: flex;
  flex-direction: column;
  gap: var(--clj-gap);
  min-height: 0;
  /* Room for the shadows, which a scrolling box would cut off. */
  margin: -2.5rem;
  padding: 2.5rem;
  overflow-y: auto;
  overscroll-behavior: contain;
  list-style: none;
}

.clj-card {
  display: grid;
  flex: none;
  grid-template-columns: auto minmax(0, 1fr) auto;
  column-gap: 0.75rem;
  align-items: start;
  margin: 0;
  padding: 0.875rem 0.875rem 0.875rem 1rem;
  border: 1px solid var(--clj-border);
  border-radius: var(--clj-radius);
  background: var(--clj-surface);
  box-shadow: var(--clj-shadow);
  pointer-events: auto;
  animation: clj-arrive 220ms cubic-bezier(0.2, 0.8, 0.2, 1);
}

.clj-icon {
  display: block;
  width: 1.25rem;
  height: 1.25rem;
  margin-top: 0.0625rem;
  color: var(--clj-muted);
}

.clj-card[data-status="processing"] .clj-icon {
  color: var(--clj-accent);
}

.clj-card[data-status="completed"] .clj-icon {
  color: var(--clj-good);
}

.clj-card[data-status="failed"] .clj-icon {
  color: var(--clj-bad);
}

.clj-card[data-status="processing"] .clj-spinner {
  transform-origin: center;
  animation: clj-spin 1.1s linear infinite;
}

.clj-title {
  margin: 0;
  font-size: 0.9375rem;
  font-weight: 600;
  line-height: 1.35;
  overflow-wrap: anywhere;
}

.clj-message {
  margin: 0.125rem 0 0;
  color: var(--clj-muted);
  overflow-wrap: anywhere;
}

.clj-card[data-status="failed"] .clj-message,
.clj-problem {
  color: var(--clj-bad);
}

.clj-problem {
  margin: 0.375rem 0 0;
}

.clj-percent {
  min-width: 2.25rem;
  line-height: 1;
  text-align: end;
  color: var(--clj-muted);
  font-size: 0.8125rem;
  font-variant-numeric: tabular-nums;
}

.clj-progress {
  display: flex;
  grid-column: 2 / -1;
  gap: 0.75rem;
  align-items: center;
  min-height: 0.875rem;
  margin-top: 0.5rem;
}

.clj-track {
  flex: 1;
  height: 0.375rem;
  overflow: hidden;
  border-radius: 1rem;
  background: var(--clj-track);
}

.clj-fill {
  height: 100%;
  border-radius: inherit;
  background: var(--clj-accent);
  transition: width 320ms ease-out;
}

.clj-fill[data-indeterminate] {
  width: 0;
}

.clj-card[data-status="processing"] .clj-fill[data-indeterminate] {
  width: 35%;
  animation: clj-slide 1.6s ease-in-out infinite;
}

.clj-actions {
  display: flex;
  flex-wrap: wrap;
  grid-column: 2 / -1;
  gap: 0.5rem;
  margin-top: 0.625rem;
}

.clj-button {
  min-height: 1.875rem;
  margin: 0;
  padding: 0.25rem 0.75rem;
  border: 1px solid var(--clj-border);
  border-radius: 0.5rem;
  background: var(--clj-surface);
  color: var(--clj-text);
  font: 500 0.8125rem/1.2 var(--clj-font);
  cursor: pointer;
}

.clj-button:hover {
  background: var(--clj-raised);
}

.clj-button[aria-disabled="true"] {
  color: var(--clj-muted);
  cursor: default;
}

.clj-button[data-primary] {
  border-color: transparent;
  background: var(--clj-accent);
  color: var(--clj-surface);
}

.clj-button[data-primary]:hover {
  filter: brightness(1.08);
}

.clj-dismiss {
  display: grid;
  place-items: center;
  width: 1.75rem;
  height: 1.75rem;
  margin: -0.25rem -0.25rem 0 0;
  padding: 0;
  border: 0;
  border-radius: 0.5rem;
  background: transparent;
  color: var(--clj-muted);
  cursor: pointer;
}

.clj-dismiss:hover {
  background: var(--clj-raised);
  color: var(--clj-text);
}

.clj-button:focus-visible,
.clj-dismiss:focus-visible,
.clj-list:focus-visible {
  outline: 2px solid var(--clj-accent);
  outline-offset: 2px;
}

.clj-footer {
  display: flex;
  flex-wrap: wrap;
  gap: 0.5rem;
  align-items: center;
  justify-content: space-between;
  pointer-events: auto;
}

.clj-footer:empty {
  display: none;
}

.clj-footer .clj-button {
  box-shadow: var(--clj-shadow);
}

.clj-note {
  flex: 1 1 100%;
  margin: 0;
  padding: 0.5rem 0.75rem;
  border: 1px solid var(--clj-border);
  border-radius: 0.625rem;
  background: var(--clj-raised);
  color: var(--clj-muted);
  font-size: 0.8125rem;
}

.clj-spoken {
  position: absolute;
  width: 1px;
  height: 1px;
  margin: -1px;
  padding: 0;
  overflow: hidden;
  clip-path: inset(50%);
  border: 0;
  white-space: nowrap;
}

@keyframes clj-arrive {
  from {
    opacity: 0;
    transform: translateY(0.5rem);
  }
}

@keyframes clj-spin {
  to {
    transform: rotate(360deg);
  }
}

@keyframes clj-slide {
  from {
    transform: translateX(-100%);
  }

  to {
    transform: translateX(300%);
  }
}

@media (max-width: 480px) {
  .clj-region {
    --clj-offset: 0.75rem;
    --clj-width: 100vw;
  }
}

@media (prefers-reduced-motion: reduce) {
  .clj-card,
  .clj-card[data-status="processing"] .clj-spinner,
  .clj-card[data-status="processing"] .clj-fill[data-indeterminate] {
    animation: none;
  }

  .clj-fill {
    transition: none;
  }

  .clj-card[data-status="processing"] .clj-fill[data-indeterminate] {
    width: 100%;
    opacity: 0.35;
  }
}

@media (forced-colors: active) {
  .clj-fill {
    background: Highlight;
  }

  .clj-track {
    border: 1px solid CanvasText;
  }
}
`;

let adopted = false;

/** Give the document our styles, once, unless it has linked `styles.css`. */
export function adoptStyles(): void {
  if (adopted) return;
  adopted = true;
  const linked = getComputedStyle(document.documentElement).getPropertyValue('--careerlens-jobs-styles');
  if (linked.trim() === '1') return;
  if ('adoptedStyleSheets' in document) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    // First, so that the application's own constructed sheets come after it and win.
    document.adoptedStyleSheets = [sheet, ...document.adoptedStyleSheets];
    return;
  }
  const element = (document as Document).createElement('style');
  element.textContent = STYLES;
  (document as Document).head.prepend(element);
}
