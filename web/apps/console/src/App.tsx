import { useCallback, useEffect, useMemo, useState } from 'react';

import { Desk } from './Desk';
import { Frame } from './shell/Frame';
import { developmentIdentity, rememberedIdentity, rememberToken, type Identity } from './shell/identity';
import { Refusal } from './shell/Refusal';
import { readConfig, type ServerConfig } from './shell/server';
import { SignIn } from './shell/SignIn';

type Start =
  | { readonly state: 'loading' }
  | { readonly state: 'failed'; readonly error: unknown }
  | { readonly state: 'ready'; readonly config: ServerConfig };

/** How long to wait before asking again for a server that was not there. */
const RETRY_MS = 3_000;

interface Props {
  /** Why the reader has to sign in again, if so. */
  readonly reason: string | null;
}

/** Finds out which server this is, then who the reader is, then shows the desk. */
export function App({ reason }: Props) {
  const [start, setStart] = useState<Start>({ state: 'loading' });
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const flight = new AbortController();
    let retry: ReturnType<typeof setTimeout> | undefined;
    readConfig(flight.signal).then(
      (config) => {
        setStart({ state: 'ready', config });
      },
      (error: unknown) => {
        if (flight.signal.aborted) return;
        setStart({ state: 'failed', error });
        retry = setTimeout(() => {
          setAttempt((count) => count + 1);
        }, RETRY_MS);
      },
    );
    return () => {
      flight.abort();
      clearTimeout(retry);
    };
  }, [attempt]);

  if (start.state === 'loading') {
    return (
      <Frame>
        <main id="main" className="waiting" aria-busy="true">
          <p className="visually-hidden">Loading CareerLens</p>
        </main>
      </Frame>
    );
  }
  if (start.state === 'failed') {
    return (
      <Frame>
        <main id="main" className="waiting">
          <h1>CareerLens is not answering</h1>
          <p className="muted">This page keeps trying, and opens by itself once the server is back.</p>
          <Refusal error={start.error} />
        </main>
      </Frame>
    );
  }
  return <Identified config={start.config} reason={reason} />;
}

function Identified({ config, reason }: { config: ServerConfig; reason: string | null }) {
  const [signedIn, setSignedIn] = useState<Identity | null>(() => rememberedIdentity(Date.now()));
  const guest = useMemo(
    () => (config.developmentIdentity ? developmentIdentity() : null),
    [config.developmentIdentity],
  );
  const identity = signedIn ?? guest;

  const signIn = useCallback((next: Identity) => {
    rememberToken(next.authToken);
    setSignedIn(next);
  }, []);

  if (identity === null) {
    return (
      <Frame>
        <SignIn reason={reason} onIdentity={signIn} />
      </Frame>
    );
  }
  return <Desk key={identity.userId} identity={identity} config={config} />;
}
