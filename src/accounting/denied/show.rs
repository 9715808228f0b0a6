//! What the model that is refused reads of others.

/// What a refusal's message for the model says of names and totals. Requested and remaining
/// amounts, and when to try again, are always in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Show {
    /// Everything.
    #[default]
    All,
    /// The values of the labels agent, model, tool, run, workflow and step, and the totals of
    /// counters that are of one agent, run, workflow or user alone.
    Own,
    /// Neither names nor totals.
    Nothing,
}

impl Show {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::All, Self::Own, Self::Nothing];

    /// Its word in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Own => "own",
            Self::Nothing => "nothing",
        }
    }

    /// The one with that word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|show| show.name() == name)
    }

    /// Whether the value of that label is shown.
    pub fn names(self, label: &str) -> bool {
        match self {
            Self::All => true,
            Self::Own => {
                matches!(label, "agent" | "model" | "tool" | "run" | "workflow" | "step")
            }
            Self::Nothing => false,
        }
    }
}

/// What a refusal is about, named at the end of its sentence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The rule that refuses.
    Rule(String),
    /// A model.
    Model(String),
    /// A repository.
    Repo(String),
}

impl Subject {
    /// The word for what it is.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Rule(_) => "rule",
            Self::Model(_) => "model",
            Self::Repo(_) => "repo",
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        let (Self::Rule(name) | Self::Model(name) | Self::Repo(name)) = self;
        name
    }

    /// The subject of that kind.
    pub fn parse(kind: &str, name: String) -> Option<Self> {
        match kind {
            "rule" => Some(Self::Rule(name)),
            "model" => Some(Self::Model(name)),
            "repo" => Some(Self::Repo(name)),
            _ => None,
        }
    }
}
