import './styles/index.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './App';
import { forgetUser } from './forgetting';
import { takeFarewell } from './shell/identity';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element #root');
const farewell = takeFarewell();
if (farewell?.isFinal === true) forgetUser(farewell.userId);

createRoot(root).render(
  <StrictMode>
    <App reason={farewell?.reason ?? null} />
  </StrictMode>,
);
