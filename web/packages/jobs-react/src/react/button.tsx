import type { ComponentProps, JSX } from 'react';

/** A button in our looks. */
export function Button(props: ComponentProps<'button'>): JSX.Element {
  return <button type="button" className="clj-button" {...props} />;
}
