/**
 * The look of the notifications, without a CSS framework. Every colour and size is a variable.
 * Bundled without its white space; the same text is shipped as `styles.css`.
 */
export const STYLES = `:root {
  --clj-linked: 1;
}

[data-theme="light"] {
  --clj-scheme: light;
}

[data-theme="dark"] {
  --clj-scheme: dark;
}

/* As large as the window, so that nothing cuts off a shadow; what lies below can be clicked. */
.clj-region {
  --clj-surface: light-dark(#fff, #222);
  --clj-text: light-dark(#111, #eee);
  --clj-muted: light-dark(#566, #aab);
  --clj-border: light-dark(#ddd, #334);
  --clj-accent: light-dark(#25e, #8af);
  --clj-good: light-dark(#075, #5d9);
  --clj-bad: light-dark(#b22, #f88);
  --clj-radius: 14px;
  --clj-width: 23rem;
  --clj-gap: .6rem;
  --clj-offset: 1.25rem;
  --clj-font: system-ui;
  --clj-z-index: 999999999;
  color-scheme: var(--clj-scheme, light dark);
  position: fixed;
  inset: 0;
  z-index: var(--clj-z-index);
  display: flex;
  flex-direction: column;
  gap: var(--clj-gap);
  align-items: end;
  padding: var(--clj-offset);
  overflow: auto;
  overscroll-behavior: contain;
  color: var(--clj-text);
  font: .875rem/1.4 var(--clj-font);
  outline: none;
  pointer-events: none;
}

.clj-region[data-position$="left"] {
  align-items: start;
}

.clj-region * {
  box-sizing: border-box;
  margin: 0;
}

.clj-region :focus-visible {
  outline: 2px solid var(--clj-accent);
  outline-offset: 2px;
}

.clj-list {
  display: grid;
  gap: var(--clj-gap);
  padding: 0;
  list-style: none;
}

[data-position^="bottom"] > .clj-list {
  margin-top: auto;
}

.clj-list,
.clj-footer {
  width: min(var(--clj-width), 100%);
}

.clj-card {
  display: grid;
  grid-template-columns: auto 1fr auto;
  gap: .5rem .75rem;
  align-items: start;
  padding: .875rem 1rem;
  border-radius: var(--clj-radius);
  overflow-wrap: anywhere;
}

.clj-card,
.clj-note,
.clj-button {
  min-height: 1.75rem;
  border: 1px solid var(--clj-border);
  background: var(--clj-surface);
  box-shadow: 0 .5rem 1.5rem -.5rem #0006;
  pointer-events: auto;
}

.clj-icon {
  width: 1.25rem;
  height: 1.25rem;
  border: 2px solid;
  border-radius: 50%;
  font: 700 .75rem/1rem var(--clj-font);
  text-align: center;
}

.clj-icon,
.clj-message,
.clj-note,
.clj-percent {
  color: var(--clj-muted);
}

[data-status="processing"] > .clj-icon {
  border-color: var(--clj-border);
  border-top-color: var(--clj-accent);
  animation: clj-spin 1s linear infinite;
}

[data-status="completed"] > .clj-icon {
  color: var(--clj-good);
}

[data-status="failed"] > .clj-icon,
[data-status="failed"] .clj-message,
.clj-problem {
  color: var(--clj-bad);
}

.clj-title {
  font-weight: 600;
}

.clj-progress,
.clj-footer {
  display: flex;
  flex-wrap: wrap;
  grid-column: 2 / -1;
  gap: .5rem;
  align-items: center;
  justify-content: space-between;
}

.clj-progress:empty,
.clj-footer:empty {
  display: none;
}

.clj-progress progress {
  flex: 1;
  height: .5rem;
  accent-color: var(--clj-accent);
}

.clj-button {
  padding: .25rem .75rem;
  border-radius: .5rem;
  color: inherit;
  font: 500 .8125rem var(--clj-font);
  cursor: pointer;
}

.clj-card .clj-button {
  box-shadow: none;
}

.clj-button:hover {
  border-color: currentColor;
}

.clj-button[aria-disabled="true"] {
  color: var(--clj-muted);
  cursor: default;
}

.clj-primary {
  background: var(--clj-accent);
  color: var(--clj-surface);
}

.clj-dismiss {
  padding: 0 .5rem;
  border-color: #0000;
  font-size: 1.25rem;
}

.clj-note {
  width: 100%;
  padding: .5rem .75rem;
  border-radius: .5rem;
}

.clj-spoken {
  position: absolute;
  clip-path: inset(50%);
}

@keyframes clj-spin {
  to {
    rotate: 1turn;
  }
}

@media (prefers-reduced-motion) {
  .clj-icon {
    animation: none !important;
  }

  .clj-progress :indeterminate {
    appearance: none;
  }
}
`;
