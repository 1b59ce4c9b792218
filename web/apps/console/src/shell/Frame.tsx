import type { ConnectionStatus } from '@careerlens/jobs-react';
import type { ReactNode } from 'react';

import type { Identity } from './identity';
import { Mark, MoonIcon, SunIcon } from './icons';
import { HOME_LINK } from './routing';
import { useTheme } from './theme';

interface Props {
  readonly children: ReactNode;
  readonly connection?: ConnectionStatus;
  readonly online?: boolean;
  readonly identity?: Identity;
  readonly onSignOut?: (() => void) | null;
}

/** What surrounds every page: the name, how the connection stands, the theme, the way out. */
export function Frame({ children, connection, online = true, identity, onSignOut = null }: Props) {
  return (
    <>
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          // The hash is the page's own address, so the jump is made by hand.
          event.preventDefault();
          document.querySelector<HTMLElement>('#main h1, #main')?.focus();
        }}
      >
        Skip to the content
      </a>
      <header className="header">
        <a className="header__name" href={HOME_LINK} aria-label="CareerLens, home">
          <Mark /> <span>CareerLens</span>
        </a>
        <div className="header__tools">
          {connection === undefined ? null : <ConnectionBadge connection={connection} online={online} />}
          {identity === undefined || onSignOut === null ? null : (
            <>
              <span className="header__user small muted" title={identity.userId}>
                {identity.userId}
              </span>
              <button type="button" className="button button--small button--quiet" onClick={onSignOut}>
                Sign out
              </button>
            </>
          )}
          <ThemeToggle />
        </div>
      </header>
      {children}
    </>
  );
}

const WORDS: Readonly<Record<ConnectionStatus, string>> = {
  idle: 'Resting',
  connecting: 'Connecting',
  live: 'Live',
  polling: 'Checking every few seconds',
  offline: 'Offline',
  unauthorized: 'Not signed in',
};

function ConnectionBadge({ connection, online }: { connection: ConnectionStatus; online: boolean }) {
  const words = online ? WORDS[connection] : 'Offline';
  const look = online ? connection : 'offline';
  return (
    <span
      className={`connection connection--${look} small`}
      role="status"
      aria-label={`Connection: ${words}`}
    >
      <span className="connection__dot" aria-hidden="true" />
      <span className="connection__words">{words}</span>
    </span>
  );
}

function ThemeToggle() {
  const { theme, toggle } = useTheme();
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      className="button button--quiet button--icon"
      aria-label={`Switch to the ${other} theme`}
      title={`Switch to the ${other} theme`}
      onClick={toggle}
    >
      {theme === 'dark' ? <SunIcon /> : <MoonIcon />}
    </button>
  );
}
