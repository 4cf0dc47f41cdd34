"""The words of the glossary that a page explains at its end, for readers who have no other page."""

from __future__ import annotations

#: The sentences of docs/glossary.md, as plain text: a test compares them.
WORDS = {
    "champion": "the model in production.",
    "challenger": "a model that was trained to replace the champion.",
    "constant": (
        "the best prediction that looks at no feature: always the shares of the classes, or "
        "always one number; a model has to be better than that."
    ),
    "train rows": "what candidates are fitted on.",
    "valid rows": "what candidates are compared on, and so what the winner was chosen by.",
    "test rows": "what no choice was made on, so that they alone say how good a model is.",
    "loss": "how bad one prediction is; 0 is perfect, smaller is better.",
    "gain": (
        "the champion's mean loss minus the challenger's on the same rows (or the rise of a "
        "metric that should be great): above 0 the challenger is better."
    ),
    "nats": (
        "the unit of log loss; a gain of 0.1 nats means that the probability given to the true "
        "class has grown by about a tenth, in the (geometric) mean."
    ),
    "interval": (
        "the range that holds the true value in 95 of 100 such cases (or as many as is said), "
        "written [low, high]; few rows make it wide."
    ),
    "shown": (
        'said of what would hardly ever look like this by luck alone; "not shown" is not "not so".'
    ),
    "p-value": (
        "in how many of such comparisons luck alone would make a challenger that is no better "
        "look so good."
    ),
    "level": (
        "how large the p-value may be: the chance of a needless promotion that this comparison is "
        "allowed."
    ),
    "guard": (
        "a metric that may refuse a challenger that is better overall, when it is shown to have "
        "become worse."
    ),
    "smallest gain it could see": (
        "the true gain that would be shown in four of five such comparisons; on few rows only "
        "large ones are."
    ),
    "out of fold": (
        "said of rows that a model learns from, each predicted by a fit of the same recipe "
        "without it, so that they may count in a decision, too."
    ),
    "group": (
        "rows that may err together (of one day, one customer), and therefore count as one piece "
        "of evidence."
    ),
    "gap": (
        "by how much the loss on valid rows exceeds that on train rows, in percent of the "
        "constant's loss."
    ),
    "candidate": "a kind of model that the search may choose, such as linear or boosting.",
    "trial": "one candidate with one choice of hyper-parameters, fitted and compared.",
    "Accuracy": "the share of rows predicted right.",
    "Balanced accuracy": (
        "the mean, over classes, of the share of their rows that is found: a rare class counts as "
        "much as a frequent one."
    ),
    "Macro F1": (
        "the mean, over classes, of a score that is high only where a class is both found and not "
        "claimed wrongly."
    ),
    "MCC": "Matthews' correlation of predicted and true class: 1 perfect, 0 no better than chance.",
    "ROC AUC": (
        "the chance that a row of a class gets a higher probability of it than a row of another "
        "class; 0.5 is a coin."
    ),
    "Log loss": (
        "how surprised the model is by the truth: the mean of minus the logarithm of the "
        "probability it gave to the true class."
    ),
    "Brier score": "the mean squared distance of the probabilities from the truth; 0 is perfect.",
    "Huber error": (
        "half the squared error of a number while it is small, growing only in proportion where "
        "it is large, so that a few outliers do not decide."
    ),
    "R²": "the share of the target's variance that is explained; 0 is a constant.",
    "RMSE": "the root of the mean squared error, in the target's unit; large errors weigh more.",
    "MAE": "the mean absolute error, in the target's unit.",
    "batch": "one file of the source's folder, such as the rows of a month.",
    "label": "the value of the target for one row; it may arrive later than the row.",
    "drift": "a change after the release that is larger than what matters.",
    "reference": "the release's own test rows, which later batches are compared with.",
    "tolerance": "a rise of the error that does not matter.",
    "effect": "how large a change is, in its own measure.",
    "threshold": "the largest change that does not matter.",
    "KS distance": "the largest difference of the shares of values below any value.",
    "concept drift": "a rise of the error because classes are predicted worse than before.",
    "data drift": "a change of the columns.",
    "Fisher's z": "a scale for correlations on which equal steps are equally hard to see.",
    "evidence": (
        "how strongly the data speak for a claim; it rises and falls from batch to batch, and at "
        "100 % the claim counts as shown."
    ),
    "false alarm": "an alarm where nothing has changed by more than what matters.",
    "policy": (
        "how a recipe's weights follow the data: keep (they stay), all (fitted on every batch so "
        "far), last 12, last 6, last 3, last 1 (fitted on so many newest batches)."
    ),
    "refresh": "the same recipe, fitted again with newer batches, becomes the release.",
    "switch": "another policy or recipe takes over, because it has been shown to do better.",
    "search": "trying candidates for a new recipe.",
    "recipe": (
        "all that determines a model beside the rows it is fitted on: estimator, hyper-"
        "parameters, encoding; no weights."
    ),
    "release": (
        "a model in production's folder with everything that is needed to use and to check it."
    ),
    "quarantined": "said of a batch that cannot be used, with the reason; it stops no other.",
}


def explained(*words: str) -> list[tuple[str, str]]:
    """Words with a sentence each, in alphabetical order; each once.

    Raises:
        KeyError: If one is none of the glossary's.
    """
    return [(word, WORDS[word]) for word in sorted(set(words), key=str.lower)]
