import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

// The first example of the package's README, word for word: the test puts it here.
import App from './App';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
